// Backend: compiles a model file for a device and runs it. OpenVINO on the CPU is the first.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// An input or output of a model.
struct Port {
  std::string name;
  std::shared_ptr<arrow::DataType> dtype;
  std::vector<int64_t> shape;  ///< −1 where a side is free
};
/// "images: float [-1, 3, 224, 224]".
std::string ToString(const Port& port);
std::string ShapeToString(const std::vector<int64_t>& shape);

/// Dense numbers in somebody else's memory.
struct TensorView {
  std::shared_ptr<arrow::DataType> dtype;
  std::vector<int64_t> shape;
  const void* data = nullptr;

  const float* floats() const { return static_cast<const float*>(data); }
};

/// Says that an input is fed with pixels, 8 bits a sample, N × height × width × channels. The conversion to
/// the model's layout and type and (pixel − mean) / scale become part of the compiled graph.
struct PixelInput {
  size_t input = 0;
  std::vector<float> mean;   ///< one a channel, one for all, or empty: 0
  std::vector<float> scale;  ///< one a channel, one for all, or empty: 1
};

struct CompileOptions {
  int threads = 0;              ///< 0 = all processors
  bool full_precision = false;  ///< float32 throughout; otherwise what the machine does fastest (bfloat16)
  std::optional<PixelInput> pixels;
};

/// A model that is ready to run. One thread at a time.
class CompiledModel {
 public:
  virtual ~CompiledModel() = default;
  /// Ports in the model's order; a pixel input has type uint8 and shape N, height, width, channels.
  virtual const std::vector<Port>& inputs() const = 0;
  virtual const std::vector<Port>& outputs() const = 0;
  /// Runs once. *Every* input is given for every run (the CPU plugin may reuse the memory of an input that was
  /// set for an earlier one); the views are only read, and only during the call. The outputs stay valid until
  /// the next run. Types and shapes that do not match the ports are a JobError that names both.
  virtual Result<std::vector<TensorView>> Infer(std::span<const TensorView> inputs) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// Compiles a model file. Fails with a JobError where the file cannot be read or the options do not fit.
  virtual Result<std::unique_ptr<CompiledModel>> Compile(const std::string& path, const CompileOptions& options) = 0;
};

/// Returns the index of the port with the name; a JobError with the nearest name otherwise.
Result<size_t> FindPort(const std::vector<Port>& ports, const std::string& name, std::string_view kind);

}  // namespace mainstem
