#include "mainstem/media/vector/similarity.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/cast.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "mainstem/functions/text/families.h"

namespace mainstem {
namespace {

// A column of vectors in any of its storages: where each row's numbers lie.
class VectorColumn {
 public:
  static Result<VectorColumn> Make(const arrow::Datum& datum, arrow::MemoryPool* pool) {
    VectorColumn out;
    std::shared_ptr<arrow::Array> array;
    if (datum.is_scalar()) {
      ARROW_ASSIGN_OR_RAISE(array, arrow::MakeArrayFromScalar(*datum.scalar(), 1, pool));
      out.is_scalar_ = true;
    } else {
      array = datum.make_array();
    }
    out.outer_ = array;
    // A tensor whose rows have shapes of their own: the numbers are its first field.
    if (array->type_id() == arrow::Type::STRUCT) {
      array = static_cast<const arrow::StructArray&>(*array).field(0);
    }
    out.lists_ = array;
    std::shared_ptr<arrow::Array> numbers;
    switch (array->type_id()) {
      case arrow::Type::FIXED_SIZE_LIST:
        numbers = static_cast<const arrow::FixedSizeListArray&>(*array).values();
        break;
      case arrow::Type::LIST: numbers = static_cast<const arrow::ListArray&>(*array).values(); break;
      case arrow::Type::LARGE_LIST: numbers = static_cast<const arrow::LargeListArray&>(*array).values(); break;
      case arrow::Type::NA: return out;
      default: return JobError(fmt::format("a column of {} holds no vectors", array->type()->ToString()));
    }
    if (numbers->type_id() != arrow::Type::FLOAT && numbers->type_id() != arrow::Type::DOUBLE) {
      ARROW_ASSIGN_OR_RAISE(numbers, arrow::compute::Cast(*numbers, arrow::float64()));
    }
    out.numbers_ = numbers;
    return out;
  }

  bool is_scalar() const { return is_scalar_; }
  bool is_double() const { return numbers_ && numbers_->type_id() == arrow::Type::DOUBLE; }

  // A row without a vector: null itself, or one of its numbers is.
  bool IsNull(int64_t row) const {
    row = is_scalar_ ? 0 : row;
    if (!numbers_ || outer_->IsNull(row) || lists_->IsNull(row)) return true;
    if (numbers_->null_count() == 0) return false;
    for (int64_t i = Begin(row); i < Begin(row) + Dimension(row); ++i) {
      if (numbers_->IsNull(i)) return true;
    }
    return false;
  }
  int64_t Dimension(int64_t row) const {
    row = is_scalar_ ? 0 : row;
    switch (lists_->type_id()) {
      case arrow::Type::FIXED_SIZE_LIST: return static_cast<const arrow::FixedSizeListArray&>(*lists_).value_length();
      case arrow::Type::LIST: return static_cast<const arrow::ListArray&>(*lists_).value_length(row);
      default: return static_cast<const arrow::LargeListArray&>(*lists_).value_length(row);
    }
  }
  template <typename T>
  const T* Numbers(int64_t row) const {
    return numbers_->data()->GetValues<T>(1) + Begin(is_scalar_ ? 0 : row);
  }

 private:
  int64_t Begin(int64_t row) const {
    switch (lists_->type_id()) {
      case arrow::Type::FIXED_SIZE_LIST:
        return static_cast<const arrow::FixedSizeListArray&>(*lists_).value_offset(row);
      case arrow::Type::LIST: return static_cast<const arrow::ListArray&>(*lists_).value_offset(row);
      default: return static_cast<const arrow::LargeListArray&>(*lists_).value_offset(row);
    }
  }

  bool is_scalar_ = false;
  std::shared_ptr<arrow::Array> outer_;
  std::shared_ptr<arrow::Array> lists_;
  std::shared_ptr<arrow::Array> numbers_;
};

enum class Measure { kDot, kCosine };

std::string_view NameOf(Measure measure) { return measure == Measure::kDot ? "vector.dot" : "vector.cosine"; }

template <typename A, typename B>
Status Compute(Measure measure, const VectorColumn& a, const VectorColumn& b, int64_t rows,
               arrow::DoubleBuilder& out) {
  double last_b_squared = 0;
  bool have_b_squared = false;
  for (int64_t row = 0; row < rows; ++row) {
    if (a.IsNull(row) || b.IsNull(row)) {
      out.UnsafeAppendNull();
      continue;
    }
    const int64_t dimension = a.Dimension(row);
    if (dimension != b.Dimension(row)) {
      return RowError(
          fmt::format("{}: the vectors have {} and {} numbers (row {} of the batch); both must have as many",
                      NameOf(measure), dimension, b.Dimension(row), row));
    }
    const A* left = a.Numbers<A>(row);
    const B* right = b.Numbers<B>(row);
    const double dot = vector::Dot(left, right, dimension);
    if (measure == Measure::kDot) {
      out.UnsafeAppend(dot);
      continue;
    }
    // The usual call compares a column with one query.
    if (!have_b_squared) last_b_squared = vector::Dot(right, right, dimension);
    have_b_squared = b.is_scalar();
    const auto cosine = vector::Cosine(dot, vector::Dot(left, left, dimension), last_b_squared);
    cosine ? out.UnsafeAppend(*cosine) : out.UnsafeAppendNull();
  }
  return Status::OK();
}

Result<arrow::Datum> Run(Measure measure, const std::vector<arrow::Datum>& arguments, arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(const VectorColumn a, VectorColumn::Make(arguments[0], pool));
  ARROW_ASSIGN_OR_RAISE(const VectorColumn b, VectorColumn::Make(arguments[1], pool));
  const int64_t rows = !a.is_scalar() ? arguments[0].length() : !b.is_scalar() ? arguments[1].length() : 1;
  arrow::DoubleBuilder out(pool);
  ARROW_RETURN_NOT_OK(out.Reserve(rows));
  const auto compute = a.is_double() ? (b.is_double() ? Compute<double, double> : Compute<double, float>)
                                     : (b.is_double() ? Compute<float, double> : Compute<float, float>);
  ARROW_RETURN_NOT_OK(compute(measure, a, b, rows, out));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Array> array, out.Finish());
  if (a.is_scalar() && b.is_scalar()) {
    ARROW_ASSIGN_OR_RAISE(auto scalar, array->GetScalar(0));
    return arrow::Datum(std::move(scalar));
  }
  return arrow::Datum(std::move(array));
}

FunctionDefinition Similarity(Measure measure, std::string doc) {
  FunctionDefinition similarity;
  similarity.name = NameOf(measure);
  similarity.kind = FunctionKind::kVector;
  similarity.doc = std::move(doc);
  similarity.arguments = {{"a", TypePattern::kVector, "A vector, tensor or list of numbers."},
                          {"b", TypePattern::kVector, "Another of the same dimension."}};
  similarity.result_type = [measure](const BoundSignature& signature) -> Result<LogicalType> {
    const auto fixed = [](const LogicalType& type) {
      return type.storage()->id() == arrow::Type::FIXED_SIZE_LIST
                 ? static_cast<const arrow::FixedSizeListType&>(*type.storage()).list_size()
                 : -1;
    };
    const int a = fixed(signature.arguments[0]);
    const int b = fixed(signature.arguments[1]);
    if (a >= 0 && b >= 0 && a != b) {
      return JobError(
          fmt::format("{}: the vectors have {} and {} numbers; both must have as many", NameOf(measure), a, b));
    }
    return LogicalType::Float64();
  };
  similarity.vector_kernel = [measure](const std::vector<arrow::Datum>& arguments, const BoundSignature&,
                                       arrow::MemoryPool* pool) { return Run(measure, arguments, pool); };
  return similarity;
}

}  // namespace

Status RegisterVectorSimilarity(Registry& registry) {
  ARROW_RETURN_NOT_OK(registry.Add(Similarity(
      Measure::kCosine,
      "Returns the cosine of the angle between two vectors, Σ aᵢ·bᵢ / (|a|·|b|), in [-1, 1], computed in "
      "double precision. Null where a vector or one of its numbers is null, or where a vector has length "
      "zero: the angle is not defined. Vectors of unequal dimension are a data error.")));
  return registry.Add(Similarity(Measure::kDot,
                                 "Returns the dot product of two vectors, Σ aᵢ·bᵢ, computed in double "
                                 "precision. Null where a vector or one of its numbers is null. Vectors of "
                                 "unequal dimension are a data error."));
}

}  // namespace mainstem
