#include "mainstem/services/models/openvino_backend.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <openvino/core/preprocess/pre_post_process.hpp>
#include <openvino/openvino.hpp>

#include <filesystem>
#include <thread>

namespace mainstem {

namespace {

struct TypePair {
  ov::element::Type element;
  std::shared_ptr<arrow::DataType> arrow;
};

const std::vector<TypePair>& Types() {
  static const std::vector<TypePair> types = {
      {ov::element::f16, arrow::float16()}, {ov::element::f32, arrow::float32()}, {ov::element::f64, arrow::float64()},
      {ov::element::i8, arrow::int8()},     {ov::element::i16, arrow::int16()},   {ov::element::i32, arrow::int32()},
      {ov::element::i64, arrow::int64()},   {ov::element::u8, arrow::uint8()},    {ov::element::u16, arrow::uint16()},
      {ov::element::u32, arrow::uint32()},  {ov::element::u64, arrow::uint64()},
  };
  return types;
}

Result<Port> MakePort(const ov::Output<const ov::Node>& output) {
  Port port;
  port.name = output.get_names().empty() ? output.get_node()->get_friendly_name() : output.get_any_name();
  for (const auto& [element, arrow] : Types()) {
    if (element == output.get_element_type()) {
      port.dtype = arrow;
    }
  }
  if (port.dtype == nullptr) {
    return JobError(fmt::format("'{}' of the model has numbers of type {}, which are not supported",
                                Escaped(port.name), output.get_element_type().get_type_name()));
  }
  const ov::PartialShape& shape = output.get_partial_shape();
  if (shape.rank().is_dynamic()) {
    return JobError(fmt::format("the model does not state how many dimensions '{}' has", Escaped(port.name)));
  }
  for (const auto& side : shape) {
    port.shape.push_back(side.is_dynamic() ? -1 : side.get_length());
  }
  return port;
}

/// The reason in an exception of OpenVINO: its last line that says something.
std::string Reason(const std::exception& exception) {
  std::string_view text = exception.what();
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  const size_t line = text.rfind('\n');
  return Escaped(line == std::string_view::npos ? text : text.substr(line + 1), 300);
}

class OpenVinoModel : public CompiledModel {
 public:
  static Result<std::unique_ptr<CompiledModel>> Make(ov::CompiledModel compiled) {
    auto model = std::make_unique<OpenVinoModel>();
    for (const auto& input : compiled.inputs()) {
      ARROW_ASSIGN_OR_RAISE(model->inputs_.emplace_back(), MakePort(input));
      model->elements_.push_back(input.get_element_type());
    }
    for (const auto& output : compiled.outputs()) {
      ARROW_ASSIGN_OR_RAISE(model->outputs_.emplace_back(), MakePort(output));
    }
    model->request_ = compiled.create_infer_request();
    model->compiled_ = std::move(compiled);
    return model;
  }

  const std::vector<Port>& inputs() const override { return inputs_; }
  const std::vector<Port>& outputs() const override { return outputs_; }

  Result<std::vector<TensorView>> Infer(std::span<const TensorView> inputs) override {
    if (inputs.size() != inputs_.size()) {
      return JobError(fmt::format("the model has {} inputs, {} were given", inputs_.size(), inputs.size()));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      ARROW_RETURN_NOT_OK(CheckInput(inputs_[i], inputs[i]));
    }
    try {
      for (size_t i = 0; i < inputs.size(); ++i) {
        const ov::Shape shape(inputs[i].shape.begin(), inputs[i].shape.end());
        // Inputs are only read; OpenVINO's tensor just has no constant form for memory of ours in every version.
        request_.set_input_tensor(i, ov::Tensor(elements_[i], shape, const_cast<void*>(inputs[i].data)));
      }
      request_.infer();
      std::vector<TensorView> results;
      for (size_t i = 0; i < outputs_.size(); ++i) {
        const ov::Tensor tensor = request_.get_output_tensor(i);
        const ov::Shape& shape = tensor.get_shape();
        results.push_back({outputs_[i].dtype, {shape.begin(), shape.end()}, std::as_const(tensor).data()});
      }
      return results;
    } catch (const std::exception& exception) {
      return JobError(fmt::format("inference failed: {}", Reason(exception)));
    }
  }

 private:
  static Status CheckInput(const Port& port, const TensorView& view) {
    bool fits = view.dtype->Equals(*port.dtype) && view.shape.size() == port.shape.size();
    for (size_t d = 0; fits && d < view.shape.size(); ++d) {
      fits = view.shape[d] >= 0 && (port.shape[d] == -1 || port.shape[d] == view.shape[d]);
    }
    if (!fits) {
      return JobError(fmt::format("the model expects {}, got {} {}", ToString(port), view.dtype->ToString(),
                                  ShapeToString(view.shape)));
    }
    return Status::OK();
  }

  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  std::vector<ov::element::Type> elements_;
  ov::CompiledModel compiled_;
  ov::InferRequest request_;
};

/// Where the channels of a picture stand in the model's input: "NCHW" or "NHWC".
Result<std::string> PixelLayout(const Port& port) {
  const auto channels = [](int64_t side) { return side == 1 || side == 3 || side == 4; };
  if (port.shape.size() == 4) {
    if (channels(port.shape[1]) && !channels(port.shape[3])) {
      return "NCHW";
    }
    if (channels(port.shape[3]) && !channels(port.shape[1])) {
      return "NHWC";
    }
  }
  return JobError(fmt::format("the model's input cannot be fed with images: {}; it must be [N, C, H, W] or "
                              "[N, H, W, C] with 1, 3 or 4 channels. Pass a tensor instead", ToString(port)));
}

Status CheckPerChannel(const std::vector<float>& values, int64_t channels, std::string_view name, bool may_be_zero) {
  if (values.size() > 1 && static_cast<int64_t>(values.size()) != channels) {
    return JobError(fmt::format("{} has {} numbers, the model's images have {} channels", name, values.size(),
                                channels));
  }
  for (const float value : values) {
    if (value == 0 && !may_be_zero) {
      return JobError(fmt::format("{} must not be zero", name));
    }
  }
  return Status::OK();
}

Result<std::shared_ptr<ov::Model>> FeedWithPixels(std::shared_ptr<ov::Model> model, const PixelInput& pixels) {
  if (pixels.input >= model->inputs().size()) {
    return JobError(fmt::format("the model has only {} inputs", model->inputs().size()));
  }
  const std::shared_ptr<const ov::Model> constant = model;
  ARROW_ASSIGN_OR_RAISE(const Port port, MakePort(constant->input(pixels.input)));
  ARROW_ASSIGN_OR_RAISE(const std::string layout, PixelLayout(port));
  const int64_t channels = layout == "NCHW" ? port.shape[1] : port.shape[3];
  ARROW_RETURN_NOT_OK(CheckPerChannel(pixels.mean, channels, "mean", true));
  ARROW_RETURN_NOT_OK(CheckPerChannel(pixels.scale, channels, "scale", false));
  ov::preprocess::PrePostProcessor processor(model);
  auto& input = processor.input(pixels.input);
  input.tensor().set_element_type(ov::element::u8).set_layout("NHWC");
  input.model().set_layout(ov::Layout(layout));
  // Arithmetic on pixels is done in float32; the conversion to the model's own type, if another, comes last.
  input.preprocess().convert_element_type(ov::element::f32);
  if (!pixels.mean.empty()) {
    pixels.mean.size() == 1 ? input.preprocess().mean(pixels.mean[0]) : input.preprocess().mean(pixels.mean);
  }
  if (!pixels.scale.empty()) {
    pixels.scale.size() == 1 ? input.preprocess().scale(pixels.scale[0]) : input.preprocess().scale(pixels.scale);
  }
  return processor.build();
}

class OpenVinoBackend : public Backend {
 public:
  Result<std::unique_ptr<CompiledModel>> Compile(const std::string& path, const CompileOptions& options) override {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      return JobError(fmt::format("there is no model file {}", Escaped(path)));
    }
    try {
      std::shared_ptr<ov::Model> model = core_.read_model(path);
      if (options.pixels.has_value()) {
        ARROW_ASSIGN_OR_RAISE(model, FeedWithPixels(std::move(model), *options.pixels));
      }
      const int threads =
          options.threads > 0 ? options.threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
      ov::AnyMap properties = {ov::num_streams(1), ov::inference_num_threads(threads),
                               ov::hint::enable_cpu_pinning(false)};
      if (options.full_precision) {
        properties.insert(ov::hint::inference_precision(ov::element::f32));
      }
      return OpenVinoModel::Make(core_.compile_model(model, "CPU", properties));
    } catch (const std::exception& exception) {
      return JobError(fmt::format("cannot load {}: {}", Escaped(path), Reason(exception)));
    }
  }

 private:
  ov::Core core_;
};

}  // namespace

Result<std::unique_ptr<Backend>> MakeOpenVinoBackend() {
  try {
    return std::make_unique<OpenVinoBackend>();
  } catch (const std::exception& exception) {
    return JobError(fmt::format("OpenVINO does not start: {}", Reason(exception)));
  }
}

}  // namespace mainstem
