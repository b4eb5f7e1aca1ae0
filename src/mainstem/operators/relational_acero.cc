// Acero behind the relational steps. Joins and distinct run on keys and row numbers alone; the payload, whatever its
// type, is taken afterwards: Acero's join and grouping reject nested columns even where they are only carried along.
#include <arrow/acero/exec_plan.h>
#include <arrow/acero/options.h>
#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include "mainstem/operators/relational.h"

namespace mainstem {
namespace {

namespace ac = arrow::acero;
namespace cp = arrow::compute;
using TablePtr = std::shared_ptr<arrow::Table>;
using Tables = std::vector<TablePtr>;

constexpr char kRowNumber[] = "__row_number";

Result<std::shared_ptr<arrow::Array>> RowNumbers(int64_t count) {
  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<arrow::Buffer> buffer,
                        arrow::AllocateBuffer(count * static_cast<int64_t>(sizeof(int64_t))));
  auto* numbers = reinterpret_cast<int64_t*>(buffer->mutable_data());
  for (int64_t i = 0; i < count; ++i) numbers[i] = i;
  return std::make_shared<arrow::Int64Array>(count, std::shared_ptr<arrow::Buffer>(std::move(buffer)));
}

Result<TablePtr> SelectNamed(const arrow::Table& table, const std::vector<std::string>& names) {
  std::vector<int> indices;
  for (const std::string& name : names) indices.push_back(table.schema()->GetFieldIndex(name));
  return table.SelectColumns(indices);
}

// The key columns, renamed k0, k1, …, and the row number.
Result<TablePtr> KeysAndRows(const arrow::Table& table, const std::vector<std::string>& keys, const std::string& prefix) {
  ARROW_ASSIGN_OR_RAISE(TablePtr selected, SelectNamed(table, keys));
  std::vector<std::string> names;
  for (size_t i = 0; i < keys.size(); ++i) names.push_back(fmt::format("{}k{}", prefix, i));
  ARROW_ASSIGN_OR_RAISE(selected, selected->RenameColumns(names));
  ARROW_ASSIGN_OR_RAISE(auto rows, RowNumbers(table.num_rows()));
  return selected->AddColumn(selected->num_columns(), arrow::field(prefix + kRowNumber, arrow::int64()),
                             std::make_shared<arrow::ChunkedArray>(rows));
}

Result<std::shared_ptr<arrow::ChunkedArray>> TakeColumn(const std::shared_ptr<arrow::ChunkedArray>& column,
                                                        const std::shared_ptr<arrow::Array>& rows) {
  // Offsets of small string columns would overflow where the pieces are joined; Take on chunks keeps them apart.
  ARROW_ASSIGN_OR_RAISE(arrow::Datum taken, cp::Take(column, rows, cp::TakeOptions::NoBoundsCheck()));
  return taken.chunked_array();
}

Result<TablePtr> TakeTable(const arrow::Table& table, const std::shared_ptr<arrow::Array>& rows) {
  arrow::ChunkedArrayVector columns;
  for (const auto& column : table.columns()) {
    ARROW_ASSIGN_OR_RAISE(auto taken, TakeColumn(column, rows));
    columns.push_back(std::move(taken));
  }
  return arrow::Table::Make(table.schema(), std::move(columns), rows->length());
}

Result<std::shared_ptr<arrow::Array>> Whole(const arrow::ChunkedArray& column) {
  if (column.num_chunks() == 1) return column.chunk(0);
  if (column.num_chunks() == 0) return arrow::MakeEmptyArray(column.type());
  if (column.num_chunks() == 0) return arrow::MakeEmptyArray(column.type());
  return arrow::Concatenate(column.chunks());
}

class Sort : public RelationalStep {
 public:
  explicit Sort(std::vector<SortKey> keys) : keys_(std::move(keys)) {}
  std::string name() const override { return "sort"; }

  Result<TablePtr> Run(const Tables& inputs) const override {
    const arrow::Table& table = *inputs[0];
    arrow::ChunkedArrayVector columns;
    arrow::FieldVector fields;
    std::vector<cp::SortKey> sort_keys;
    for (const SortKey& key : keys_) {
      const std::string name = fmt::format("k{}", columns.size());
      columns.push_back(table.GetColumnByName(key.column));
      fields.push_back(arrow::field(name, columns.back()->type()));
      sort_keys.emplace_back(arrow::FieldRef(name),
                             key.descending ? cp::SortOrder::Descending : cp::SortOrder::Ascending,
                             key.nulls_first ? cp::NullPlacement::AtStart : cp::NullPlacement::AtEnd);
    }
    const auto keys = arrow::Table::Make(arrow::schema(fields), columns, table.num_rows());
    const cp::SortOptions options(sort_keys);
    ARROW_ASSIGN_OR_RAISE(auto order, cp::SortIndices(arrow::Datum(keys), options));
    return TakeTable(table, order);
  }

 private:
  std::vector<SortKey> keys_;
};

class Aggregate : public RelationalStep {
 public:
  Aggregate(std::vector<std::string> keys, std::vector<AggregateCall> aggregates, std::shared_ptr<arrow::Schema> output)
      : keys_(std::move(keys)), aggregates_(std::move(aggregates)), output_(std::move(output)) {}
  std::string name() const override { return "aggregate"; }

  Result<TablePtr> Run(const Tables& inputs) const override {
    const TablePtr& table = inputs[0];
    // Columns are addressed by position, so that any name works.
    std::vector<arrow::FieldRef> keys;
    for (const std::string& key : keys_) keys.emplace_back(table->schema()->GetFieldIndex(key));
    std::vector<cp::Aggregate> calls;
    bool ordered = false;
    for (const AggregateCall& call : aggregates_) {
      ordered |= call.function == "first" || call.function == "last" || call.function == "list";
      const std::string function = (keys_.empty() ? "" : "hash_") + call.function;
      std::shared_ptr<cp::FunctionOptions> options;
      if (call.function == "count" || call.function == "count_distinct") {
        options = std::make_shared<cp::CountOptions>(cp::CountOptions::ONLY_VALID);
      } else if (call.function == "stddev" || call.function == "variance") {
        options = std::make_shared<cp::VarianceOptions>(call.sample ? 1 : 0);
      }
      if (call.column.empty()) {
        calls.emplace_back(keys_.empty() ? "count_all" : "hash_count_all", call.name);
      } else {
        calls.emplace_back(function, options, arrow::FieldRef(table->schema()->GetFieldIndex(call.column)), call.name);
      }
    }
    if (keys_.empty() && ordered) return Lists(*table);
    const ac::Declaration plan = ac::Declaration::Sequence(
        {{"table_source", ac::TableSourceNodeOptions(table)},
         {"aggregate", ac::AggregateNodeOptions(std::move(calls), std::move(keys))}});
    ARROW_ASSIGN_OR_RAISE(TablePtr result, ac::DeclarationToTable(plan, !ordered));
    return Shaped(*result);
  }

 private:
  // `list` is an aggregate of groups only: without keys, all rows are one group of a constant.
  Result<TablePtr> Lists(const arrow::Table& table) const {
    if (table.num_rows() == 0) return OfNothing();
    ARROW_ASSIGN_OR_RAISE(auto zeros, arrow::MakeArrayFromScalar(*arrow::MakeScalar(int32_t{0}), table.num_rows()));
    ARROW_ASSIGN_OR_RAISE(TablePtr grouped,
                          table.AddColumn(table.num_columns(), arrow::field("__group", arrow::int32()),
                                          std::make_shared<arrow::ChunkedArray>(zeros)));
    arrow::FieldVector fields = {arrow::field("__group", arrow::int32())};
    for (const auto& field : output_->fields()) fields.push_back(field);
    const Aggregate by_group({"__group"}, aggregates_, arrow::schema(fields));
    ARROW_ASSIGN_OR_RAISE(TablePtr result, by_group.Run({grouped}));
    return result->RemoveColumn(0);
  }

  // The one row that no row at all gives: counts are 0, lists empty, everything else is unknown.
  Result<TablePtr> OfNothing() const {
    arrow::ChunkedArrayVector columns;
    for (size_t i = 0; i < aggregates_.size(); ++i) {
      const auto& type = output_->field(static_cast<int>(i))->type();
      std::unique_ptr<arrow::ArrayBuilder> builder;
      ARROW_RETURN_NOT_OK(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder));
      const bool counts = aggregates_[i].column.empty() || aggregates_[i].function.starts_with("count");
      ARROW_RETURN_NOT_OK(counts || aggregates_[i].function == "list" ? builder->AppendEmptyValue()
                                                                     : builder->AppendNull());
      ARROW_ASSIGN_OR_RAISE(auto column, builder->Finish());
      columns.push_back(std::make_shared<arrow::ChunkedArray>(column));
    }
    return arrow::Table::Make(output_, std::move(columns), 1);
  }

  Result<TablePtr> Shaped(const arrow::Table& result) const {
    arrow::ChunkedArrayVector columns;
    for (int i = 0; i < output_->num_fields(); ++i) {
      std::shared_ptr<arrow::ChunkedArray> column = result.column(i);
      const auto& wanted = output_->field(i)->type();
      if (!column->type()->Equals(*wanted)) {
        ARROW_ASSIGN_OR_RAISE(arrow::Datum cast, cp::Cast(column, wanted));
        column = cast.chunked_array();
      }
      columns.push_back(std::move(column));
    }
    return arrow::Table::Make(output_, std::move(columns), result.num_rows());
  }

  std::vector<std::string> keys_;
  std::vector<AggregateCall> aggregates_;
  std::shared_ptr<arrow::Schema> output_;
};

class Distinct : public RelationalStep {
 public:
  Distinct(std::vector<std::string> columns, bool keep_first) : columns_(std::move(columns)), keep_first_(keep_first) {}
  std::string name() const override { return "drop_duplicates"; }

  Result<TablePtr> Run(const Tables& inputs) const override {
    const arrow::Table& table = *inputs[0];
    ARROW_ASSIGN_OR_RAISE(TablePtr keys, KeysAndRows(table, columns_, ""));
    std::vector<arrow::FieldRef> key_refs;
    for (size_t i = 0; i < columns_.size(); ++i) key_refs.emplace_back(static_cast<int>(i));
    const ac::Declaration plan = ac::Declaration::Sequence(
        {{"table_source", ac::TableSourceNodeOptions(keys)},
         {"aggregate",
          ac::AggregateNodeOptions({{keep_first_ ? "hash_min" : "hash_max", nullptr,
                                     arrow::FieldRef(static_cast<int>(columns_.size())), "row"}},
                                   std::move(key_refs))}});
    ARROW_ASSIGN_OR_RAISE(TablePtr groups, ac::DeclarationToTable(plan));
    ARROW_ASSIGN_OR_RAISE(auto rows, Whole(*groups->GetColumnByName("row")));
    ARROW_ASSIGN_OR_RAISE(auto order, cp::SortIndices(*rows));
    ARROW_ASSIGN_OR_RAISE(arrow::Datum sorted, cp::Take(rows, order));
    return TakeTable(table, sorted.make_array());
  }

 private:
  std::vector<std::string> columns_;
  bool keep_first_;
};

ac::JoinType ToAcero(JoinKind kind) {
  switch (kind) {
    case JoinKind::kLeft: return ac::JoinType::LEFT_OUTER;
    case JoinKind::kRight: return ac::JoinType::RIGHT_OUTER;
    case JoinKind::kOuter: return ac::JoinType::FULL_OUTER;
    case JoinKind::kSemi: return ac::JoinType::LEFT_SEMI;
    case JoinKind::kAnti: return ac::JoinType::LEFT_ANTI;
    default: return ac::JoinType::INNER;
  }
}

class Join : public RelationalStep {
 public:
  Join(JoinKind kind, std::vector<std::string> left_keys, std::vector<std::string> right_keys,
       std::shared_ptr<arrow::Schema> output)
      : kind_(kind), left_keys_(std::move(left_keys)), right_keys_(std::move(right_keys)), output_(std::move(output)) {}
  std::string name() const override { return "join"; }

  Result<TablePtr> Run(const Tables& inputs) const override {
    const arrow::Table& left = *inputs[0];
    const arrow::Table& right = *inputs[1];
    std::shared_ptr<arrow::Array> left_rows;
    std::shared_ptr<arrow::Array> right_rows;
    if (kind_ == JoinKind::kCross) {
      ARROW_RETURN_NOT_OK(CrossRows(left.num_rows(), right.num_rows(), &left_rows, &right_rows));
    } else {
      ARROW_RETURN_NOT_OK(MatchedRows(left, right, &left_rows, &right_rows));
    }
    arrow::ChunkedArrayVector columns;
    for (int i = 0; i < left.num_columns(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto taken, TakeColumn(left.column(i), left_rows));
      // A key that is kept once comes from whichever side has the row.
      const int key = SharedKey(left.schema()->field(i)->name());
      if (key >= 0 && (kind_ == JoinKind::kRight || kind_ == JoinKind::kOuter)) {
        ARROW_ASSIGN_OR_RAISE(auto other, TakeColumn(right.GetColumnByName(right_keys_[static_cast<size_t>(key)]),
                                                     right_rows));
        ARROW_ASSIGN_OR_RAISE(arrow::Datum either, cp::CallFunction("coalesce", {taken, other}));
        taken = either.chunked_array();
      }
      columns.push_back(std::move(taken));
    }
    if (kind_ != JoinKind::kSemi && kind_ != JoinKind::kAnti) {
      for (int i = 0; i < right.num_columns(); ++i) {
        if (SharedKey(right.schema()->field(i)->name()) >= 0) continue;
        ARROW_ASSIGN_OR_RAISE(auto taken, TakeColumn(right.column(i), right_rows));
        columns.push_back(std::move(taken));
      }
    }
    return arrow::Table::Make(output_, std::move(columns), left_rows->length());
  }

 private:
  int SharedKey(const std::string& name) const {
    for (size_t i = 0; i < left_keys_.size(); ++i) {
      if (left_keys_[i] == name && right_keys_[i] == name) return static_cast<int>(i);
    }
    return -1;
  }

  Status MatchedRows(const arrow::Table& left, const arrow::Table& right, std::shared_ptr<arrow::Array>* left_rows,
                     std::shared_ptr<arrow::Array>* right_rows) const {
    ARROW_ASSIGN_OR_RAISE(TablePtr left_side, KeysAndRows(left, left_keys_, "l"));
    ARROW_ASSIGN_OR_RAISE(TablePtr right_side, KeysAndRows(right, right_keys_, "r"));
    std::vector<arrow::FieldRef> left_refs;
    std::vector<arrow::FieldRef> right_refs;
    for (size_t i = 0; i < left_keys_.size(); ++i) {
      left_refs.emplace_back(fmt::format("lk{}", i));
      right_refs.emplace_back(fmt::format("rk{}", i));
    }
    const bool left_only = kind_ == JoinKind::kSemi || kind_ == JoinKind::kAnti;
    const std::string left_name = std::string("l") + kRowNumber;
    const std::string right_name = std::string("r") + kRowNumber;
    const ac::HashJoinNodeOptions options(ToAcero(kind_), left_refs, right_refs, {arrow::FieldRef(left_name)},
                                          left_only ? std::vector<arrow::FieldRef>{}
                                                    : std::vector<arrow::FieldRef>{arrow::FieldRef(right_name)});
    const ac::Declaration plan("hashjoin",
                               {ac::Declaration("table_source", ac::TableSourceNodeOptions(left_side)),
                                ac::Declaration("table_source", ac::TableSourceNodeOptions(right_side))},
                               options);
    ARROW_ASSIGN_OR_RAISE(TablePtr matches, ac::DeclarationToTable(plan));
    ARROW_ASSIGN_OR_RAISE(*left_rows, Whole(*matches->column(0)));
    if (!left_only) {
      ARROW_ASSIGN_OR_RAISE(*right_rows, Whole(*matches->column(1)));
    }
    return Status::OK();
  }

  static Status CrossRows(int64_t left, int64_t right, std::shared_ptr<arrow::Array>* left_rows,
                          std::shared_ptr<arrow::Array>* right_rows) {
    constexpr int64_t kMostRows = int64_t{1} << 31;
    if (right > 0 && left > kMostRows / right) {
      return JobError(fmt::format("a cross join of {} and {} rows has more than {} rows; filter first", left, right,
                                  kMostRows));
    }
    arrow::Int64Builder left_builder;
    arrow::Int64Builder right_builder;
    ARROW_RETURN_NOT_OK(left_builder.Reserve(left * right));
    ARROW_RETURN_NOT_OK(right_builder.Reserve(left * right));
    for (int64_t i = 0; i < left; ++i) {
      for (int64_t j = 0; j < right; ++j) {
        left_builder.UnsafeAppend(i);
        right_builder.UnsafeAppend(j);
      }
    }
    ARROW_ASSIGN_OR_RAISE(*left_rows, left_builder.Finish());
    ARROW_ASSIGN_OR_RAISE(*right_rows, right_builder.Finish());
    return Status::OK();
  }

  JoinKind kind_;
  std::vector<std::string> left_keys_;
  std::vector<std::string> right_keys_;
  std::shared_ptr<arrow::Schema> output_;
};

}  // namespace

std::shared_ptr<RelationalStep> MakeSort(std::vector<SortKey> keys) { return std::make_shared<Sort>(std::move(keys)); }

std::shared_ptr<RelationalStep> MakeAggregate(std::vector<std::string> keys, std::vector<AggregateCall> aggregates,
                                              std::shared_ptr<arrow::Schema> output) {
  return std::make_shared<Aggregate>(std::move(keys), std::move(aggregates), std::move(output));
}

std::shared_ptr<RelationalStep> MakeDistinct(std::vector<std::string> columns, bool keep_first) {
  return std::make_shared<Distinct>(std::move(columns), keep_first);
}

std::shared_ptr<RelationalStep> MakeJoin(JoinKind kind, std::vector<std::string> left_keys,
                                         std::vector<std::string> right_keys, std::shared_ptr<arrow::Schema> output) {
  return std::make_shared<Join>(kind, std::move(left_keys), std::move(right_keys), std::move(output));
}

}  // namespace mainstem
