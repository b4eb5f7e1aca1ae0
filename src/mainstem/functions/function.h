// FunctionDefinition: everything the engine knows of one function: signature, rules, documentation, body.
#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/data/logical_type.h"
#include "mainstem/data/value.h"
#include "mainstem/functions/option.h"

namespace mainstem {

enum class FunctionKind {
  kVector,     ///< whole batches, Arrow kernels
  kRow,        ///< a pure function of one row's values; runs inside a row program
  kTable,      ///< one row in, many rows out; resumable
  kCall,       ///< leaves the process: a model or a provider answers
  kAggregate,  ///< many rows in, one value out
};
std::string_view ToString(FunctionKind kind);

/// What the function costs a row; the planner orders filters and sizes batches by it.
enum class CostClass { kCheap, kDecode, kHeavy, kRemote };

/// Which column types an argument accepts.
enum class TypePattern {
  kAny,
  kBoolean,
  kInteger,
  kNumber,
  kText,
  kBytes,        ///< binary; a file is accepted too and its bytes are fetched first
  kFile,
  kTextOrFile,   ///< a uri or a file; the function opens it itself
  kImage,        ///< decoded
  kImageOrBytes, ///< decoded or encoded; a file's bytes are fetched first
  kAudio,        ///< decoded
  kAudioSource,  ///< encoded bytes, a uri, a file (its bytes are fetched) or an audio clip
  kAudioAny,     ///< kAudio or kAudioSource
  kVideoSource,  ///< a uri, a file or a video clip; the function opens it itself
  kTensor,
  kVector,       ///< vector, tensor or list of numbers
  kList,
  kStruct,
  kTemporal,
};
std::string_view ToString(TypePattern pattern);

struct ArgumentSpec {
  std::string name;
  TypePattern accepts = TypePattern::kAny;
  std::string doc;
  bool optional = false;  ///< only after the required ones
};

/// The types and options that one call of a function is bound to.
struct BoundSignature {
  std::vector<LogicalType> arguments;
  Options options;
};

/// One column that a table function emits.
struct OutputColumn {
  std::string name;
  LogicalType type;
};

/// The body of a row function for one subtask. Called by one thread at a time, so scratch space may be kept
/// between calls. Never sees a null argument: null in is null out unless the definition says otherwise.
class RowKernel {
 public:
  virtual ~RowKernel() = default;
  /// Returns the result; a data error is a RowError and obeys the call's `on_error`.
  virtual Result<Value> Run(std::span<const Value> arguments) = 0;
};

/// The body of a table function: after Start, Next is called until it returns no row. Never sees a null first
/// argument. Nothing is computed ahead of Next, so expansion stays bounded.
class TableKernel {
 public:
  virtual ~TableKernel() = default;
  virtual Status Start(std::span<const Value> arguments) = 0;
  virtual Result<std::optional<std::vector<Value>>> Next() = 0;
};

/// The body of a vector function: columns in (storage arrays of one length, or scalars), one column out.
using VectorKernel = std::function<Result<arrow::Datum>(const std::vector<arrow::Datum>& arguments,
                                                        const BoundSignature& signature, arrow::MemoryPool* pool)>;

/// Makes a row kernel from a plain function without state.
std::unique_ptr<RowKernel> MakeRowKernel(std::function<Result<Value>(std::span<const Value>)> body);

/// A function of the registry. Names are "accessor.name" ("image.resize") or a bare name ("add").
struct FunctionDefinition {
  std::string name;
  FunctionKind kind = FunctionKind::kRow;
  CostClass cost = CostClass::kCheap;
  std::string doc;  ///< what it returns; shapes, units, limits; source of a formula or format
  std::vector<ArgumentSpec> arguments;
  std::vector<OptionSpec> options;
  bool variadic = false;        ///< the last argument repeats
  bool sees_null = false;       ///< the kernel handles nulls itself (is_null, coalesce, is_valid)
  bool null_is_false = false;   ///< a predicate: null and broken input answer false
  bool deterministic = true;
  bool has_on_error = false;    ///< takes on_error = raise | null | dead_letter (added to `options`)

  /// Result type of the bound call; for table functions see `output_columns`.
  std::function<Result<LogicalType>(const BoundSignature&)> result_type;
  std::function<Result<std::unique_ptr<RowKernel>>(const BoundSignature&)> make_row_kernel;
  std::function<Result<std::vector<OutputColumn>>(const BoundSignature&)> output_columns;
  std::function<Result<std::unique_ptr<TableKernel>>(const BoundSignature&)> make_table_kernel;
  VectorKernel vector_kernel;
  /// kCall: which model service answers ("embed_text"); the planner places a call operator.
  std::string call_service;
  /// kAggregate: name of Arrow's hash aggregate ("hash_sum").
  std::string aggregate;
};

/// Result type rules.
std::function<Result<LogicalType>(const BoundSignature&)> Always(LogicalType type);
std::function<Result<LogicalType>(const BoundSignature&)> SameAsArgument(size_t index);

/// Says whether a column of this type may be passed where the pattern is declared.
bool Accepts(TypePattern pattern, const LogicalType& type);
/// Says whether the function takes the bytes of a file that is passed there.
bool NeedsBytes(TypePattern pattern);
/// Says whether the function opens a file that is passed there by itself, and reads of it what it needs.
bool OpensFiles(TypePattern pattern);

}  // namespace mainstem
