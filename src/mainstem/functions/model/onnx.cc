#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mainstem/base/suggestion.h"
#include "mainstem/functions/model/families.h"
#include "mainstem/functions/model/resolved_model.h"

namespace mainstem {

namespace {

constexpr int64_t kNumbersMax = 1 << 28;  // of one row's result

std::string ShapeText(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Result<const ModelPort*> Find(const std::vector<ModelPort>& ports, const std::string& name, std::string_view kind) {
  std::vector<std::string> names;
  for (const ModelPort& port : ports) {
    if (port.name == name) {
      return &port;
    }
    names.push_back(Escaped(port.name));
  }
  return JobError(fmt::format("ai.onnx: the model has no {} '{}'.{}", kind, Escaped(name), Suggestion(name, names)));
}

bool HoldsNumbers(const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kImage:
    case TypeKind::kTensor:
    case TypeKind::kVector: return true;
    case TypeKind::kPlain: return type.IsList() && (type.item().IsInteger() || type.item().IsFloating());
    default: return false;
  }
}

/// Compares what the column's type states with what the model reads; what only rows can tell is left to them.
Status CheckInput(const ResolvedModel& model, const BoundSignature& signature) {
  const LogicalType& type = signature.arguments[0];
  if (!HoldsNumbers(type)) {
    return JobError(fmt::format("ai.onnx takes an image, tensor, vector or list of numbers, not {}", type.ToString()));
  }
  if (model.inputs.size() != 1) {
    return JobError(fmt::format("ai.onnx: the model '{}' has {} inputs; one column feeds models with one input",
                                Escaped(model.name), model.inputs.size()));
  }
  if (signature.options.Has("input")) {
    ARROW_RETURN_NOT_OK(Find(model.inputs, signature.options.String("input"), "input").status());
  }
  const ModelPort& port = model.inputs[0];
  if (port.shape.empty()) {
    return JobError(fmt::format("ai.onnx: the input '{}' of the model has no batch side", Escaped(port.name)));
  }
  const auto wanted = std::span(port.shape).subspan(1);
  std::vector<int64_t> got = type.kind() == TypeKind::kPlain ? std::vector<int64_t>{} : type.shape();
  const auto fits = [](std::span<const int64_t> sides, std::span<const int64_t> given) {
    return sides.size() == given.size() && std::equal(sides.begin(), sides.end(), given.begin(),
                                                      [](int64_t a, int64_t b) { return a == -1 || b == -1 || a == b; });
  };
  bool good = true;
  if (type.kind() == TypeKind::kImage) {
    const int64_t channels = type.image_mode() ? Channels(*type.image_mode()) : -1;
    got = {type.image_height().value_or(-1), type.image_width().value_or(-1), channels};
    good = fits(wanted, got) || fits(wanted, std::vector<int64_t>{channels, got[0], got[1]});
  } else if (got.size() > 1) {
    good = fits(wanted, got);
  }
  if (!good) {
    return JobError(fmt::format("ai.onnx: the input '{}' of the model takes {} a row, the column is {}",
                                Escaped(port.name), ShapeText(wanted), type.ToString()));
  }
  return Status::OK();
}

Result<LogicalType> ResultOfOnnx(const BoundSignature& signature) {
  const Options& options = signature.options;
  ARROW_ASSIGN_OR_RAISE(const ResolvedModel model, ResolvedModel::Read(options));
  ARROW_RETURN_NOT_OK(CheckInput(model, signature));
  if (model.outputs.empty()) {
    return JobError(fmt::format("ai.onnx: the model '{}' has no output", Escaped(model.name)));
  }
  const ModelPort* port = &model.outputs[0];
  if (options.Has("output")) {
    ARROW_ASSIGN_OR_RAISE(port, Find(model.outputs, options.String("output"), "output"));
  }
  if (port->shape.empty()) {
    return JobError(fmt::format("ai.onnx: the output '{}' of the model has no batch side", Escaped(port->name)));
  }
  std::vector<int64_t> shape(port->shape.begin() + 1, port->shape.end());
  if (options.Has("output_shape")) {
    const std::vector<int64_t> stated = options.IntList("output_shape");
    const bool fits = stated.size() == shape.size() && std::equal(shape.begin(), shape.end(), stated.begin(),
                                                                  [](int64_t a, int64_t b) { return a == -1 || a == b; });
    if (!fits) {
      return JobError(fmt::format("ai.onnx: output_shape is {}, a row of the model's output '{}' is {}",
                                  ShapeText(stated), Escaped(port->name), ShapeText(shape)));
    }
    shape = stated;
  }
  if (shape.empty()) {
    shape = {1};
  }
  int64_t numbers = 1;
  for (const int64_t side : shape) {
    if (side <= 0 || __builtin_mul_overflow(numbers, side, &numbers) || numbers > kNumbersMax) {
      return JobError(fmt::format("ai.onnx: a row of the model's output '{}' is {}, with free or too large sides: state "
                                  "them with output_shape", Escaped(port->name), ShapeText(shape)));
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto dtype, NumberType(*port));
  if (options.String("output_type") == "vector") {
    return LogicalType::Vector(dtype, static_cast<int32_t>(numbers));
  }
  return LogicalType::Tensor(dtype, std::move(shape));
}

}  // namespace

Status RegisterOnnx(Registry& registry) {
  FunctionDefinition onnx;
  onnx.name = "ai.onnx";
  onnx.kind = FunctionKind::kCall;
  onnx.cost = CostClass::kHeavy;
  onnx.call_service = "onnx";
  onnx.has_on_error = true;
  onnx.doc =
      "The answer of a model of yours with one input: ONNX, OpenVINO IR or TFLite. The first side of input and output is "
      "the batch; where the model fixes it, calls are cut to it. Images go in as they are, uint8 made (pixel − mean) / "
      "scale and turned to the model's layout ([N, C, H, W] or [N, H, W, C]); they must have the model's size, use "
      "image.resize(). Tensors must have the input's shape; vectors and lists its number of numbers. Numbers of "
      "another type are converted where no integer is lost.";
  onnx.arguments = {{"column", TypePattern::kAny, "Images, tensors, vectors or lists of numbers."}};
  onnx.options = ModelOptions("", 64);
  onnx.options[0].doc = "Path of the model file.";
  const auto text = [](const char* name, const char* doc) {
    return OptionSpec{.name = name, .type = OptionType::kString, .doc = doc};
  };
  onnx.options.push_back(text("input", "Name of the input; a model with one needs none."));
  onnx.options.push_back(text("output", "Name of the output; None is the first."));
  onnx.options.push_back({.name = "output_type",
                          .type = OptionType::kString,
                          .default_value = "tensor",
                          .doc = "Type of the result: 'tensor' keeps the shape, 'vector' is its numbers in a row.",
                          .choices = {"tensor", "vector"}});
  onnx.options.push_back({.name = "output_shape",
                          .type = OptionType::kIntList,
                          .doc = "Shape of one row of the output, where the model leaves sides of it free."});
  onnx.options.push_back({.name = "mean",
                          .type = OptionType::kFloatList,
                          .doc = "Subtracted from the samples of images: one number, or one a channel."});
  onnx.options.push_back({.name = "scale",
                          .type = OptionType::kFloatList,
                          .doc = "Divides the samples of images after that: one number, or one a channel."});
  onnx.result_type = ResultOfOnnx;
  return registry.Add(std::move(onnx));
}

}  // namespace mainstem
