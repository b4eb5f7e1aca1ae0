#include "mainstem/operators/dead_letter.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

#include "mainstem/functions/expression_program.h"

namespace mainstem {

std::string DescribeRow(const Columns& columns, const arrow::RecordBatch& batch, int64_t row) {
  std::string text;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name.starts_with("__")) continue;  // the planner's own
    const auto& column = batch.column(static_cast<int>(i));
    const TypeKind kind = columns[i].type.kind();
    std::string cell;
    if (column->IsNull(row)) {
      cell = "null";
    } else if (kind == TypeKind::kFile || kind == TypeKind::kAudioClip || kind == TypeKind::kVideoClip) {
      const auto& references = static_cast<const arrow::StructArray&>(*column);
      cell = Escaped(static_cast<const arrow::StringArray&>(*references.field(0)).GetView(row));
    } else if (kind != TypeKind::kPlain) {
      cell = fmt::format("<{}>", columns[i].type.ToString());
    } else if (columns[i].type.IsBytes()) {
      const auto scalar = column->GetScalar(row);
      cell = scalar.ok() ? fmt::format("<{} bytes>", static_cast<const arrow::BaseBinaryScalar&>(**scalar).value->size())
                         : "<bytes>";
    } else {
      const auto scalar = column->GetScalar(row);
      cell = scalar.ok() ? Escaped((*scalar)->ToString(), 200) : "?";
    }
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", columns[i].name, cell);
  }
  return "{" + text + "}";
}

DeadLetter MakeDeadLetter(const Columns& columns, const arrow::RecordBatch& batch, const RowFault& fault) {
  return {.function = fault.function,
          .input = fault.input.empty() ? DescribeInput(columns, batch, fault.row) : fault.input,
          .reason = fault.reason,
          .row = DescribeRow(columns, batch, fault.row)};
}

}  // namespace mainstem
