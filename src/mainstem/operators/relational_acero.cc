// Sort, aggregate and distinct on Arrow's kernels and Acero. Distinct runs on keys and row numbers alone; the payload,
// whatever its type, is taken afterwards: Acero's grouping rejects nested columns even where they are only carried along.
#include <arrow/acero/options.h>
#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mainstem/operators/relational_plan.h"

namespace mainstem {
namespace {

namespace ac = arrow::acero;
namespace cp = arrow::compute;
using Tables = std::vector<TablePtr>;

class Sort : public RelationalStep {
 public:
  explicit Sort(std::vector<SortKey> keys) : keys_(std::move(keys)) {}
  std::string name() const override { return "sort"; }

  Result<TablePtr> Run(const Tables& inputs, const StepBounds& bounds) const override {
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
    return TakeTable(table, order, bounds);
  }

 private:
  std::vector<SortKey> keys_;
};

class Aggregate : public RelationalStep {
 public:
  Aggregate(std::vector<std::string> keys, std::vector<AggregateCall> aggregates, std::shared_ptr<arrow::Schema> output)
      : keys_(std::move(keys)), aggregates_(std::move(aggregates)), output_(std::move(output)) {}
  std::string name() const override { return "aggregate"; }

  Result<TablePtr> Run(const Tables& inputs, const StepBounds& bounds) const override {
    const bool ordered = std::any_of(aggregates_.begin(), aggregates_.end(), [](const AggregateCall& call) {
      return call.function == "first" || call.function == "last" || call.function == "list";
    });
    if (keys_.empty() && ordered) return Lists(*inputs[0], bounds);
    TablePtr table = inputs[0];
    // Columns are addressed by position, so that any name works.
    std::vector<arrow::FieldRef> keys;
    for (const std::string& key : keys_) keys.emplace_back(table->schema()->GetFieldIndex(key));
    std::vector<cp::Aggregate> calls;
    for (const AggregateCall& call : aggregates_) {
      ARROW_ASSIGN_OR_RAISE(const int column, WithRoom(call, &table));
      calls.push_back(ToAcero(call, column));
    }
    // Several threads meet the groups in any order: the row in which each was seen first tells it afterwards.
    const bool needs_order = !keys_.empty() && !ordered;
    if (needs_order) {
      ARROW_ASSIGN_OR_RAISE(auto rows, RowNumbers(table->num_rows()));
      calls.emplace_back("hash_min", nullptr, arrow::FieldRef(table->num_columns()), kRowNumber);
      ARROW_ASSIGN_OR_RAISE(table, table->AddColumn(table->num_columns(), arrow::field(kRowNumber, arrow::int64()),
                                                    std::make_shared<arrow::ChunkedArray>(rows)));
    }
    const ac::Declaration plan = ac::Declaration::Sequence(
        {{"table_source", ac::TableSourceNodeOptions(table)},
         {"aggregate", ac::AggregateNodeOptions(std::move(calls), std::move(keys))}});
    ARROW_ASSIGN_OR_RAISE(TablePtr result, RunPlan(plan, bounds, ordered));
    if (needs_order) {
      ARROW_ASSIGN_OR_RAISE(auto first_rows, Whole(*result->column(result->num_columns() - 1)));
      ARROW_ASSIGN_OR_RAISE(auto order, AscendingOrder(first_rows, table->num_rows()));
      ARROW_ASSIGN_OR_RAISE(result, TakeTable(*result, order, bounds));
    }
    return Shaped(*result);
  }

 private:
  // Which column to aggregate. Arrow adds integers in 64 bits and lets them wrap: where they are large and many enough
  // for that, a sum is made of decimals, and a mean of floating point numbers, in a column that is added to the table.
  static Result<int> WithRoom(const AggregateCall& call, TablePtr* table) {
    const int column = call.column.empty() ? -1 : (*table)->schema()->GetFieldIndex(call.column);
    if (column < 0 || (call.function != "sum" && call.function != "mean")) return column;
    const auto values = (*table)->column(column);
    if (!arrow::is_integer(values->type()->id())) return column;
    ARROW_ASSIGN_OR_RAISE(const arrow::Datum bounds, cp::MinMax(values));
    const auto& extremes = static_cast<const arrow::StructScalar&>(*bounds.scalar()).value;
    double largest = 0;
    for (const auto& extreme : extremes) {
      if (!extreme->is_valid) return column;
      ARROW_ASSIGN_OR_RAISE(const arrow::Datum number, cp::Cast(extreme, arrow::float64(), cp::CastOptions::Unsafe()));
      largest = std::max(largest, std::abs(number.scalar_as<arrow::DoubleScalar>().value));
    }
    constexpr double kSafe = 9e18;  // below 2^63, with room for rounding
    if (largest * static_cast<double>(values->length()) < kSafe) return column;
    const auto wide = call.function == "sum" ? arrow::decimal128(38, 0) : arrow::float64();
    ARROW_ASSIGN_OR_RAISE(const arrow::Datum cast, cp::Cast(values, wide, cp::CastOptions::Unsafe()));
    const int added = (*table)->num_columns();
    ARROW_ASSIGN_OR_RAISE(*table, (*table)->AddColumn(added, arrow::field("__wide", wide), cast.chunked_array()));
    return added;
  }

  cp::Aggregate ToAcero(const AggregateCall& call, int column) const {
    if (column < 0) return {keys_.empty() ? "count_all" : "hash_count_all", call.name};
    std::shared_ptr<cp::FunctionOptions> options;
    if (call.function == "count" || call.function == "count_distinct") {
      options = std::make_shared<cp::CountOptions>(cp::CountOptions::ONLY_VALID);
    } else if (call.function == "stddev" || call.function == "variance") {
      options = std::make_shared<cp::VarianceOptions>(call.sample ? 1 : 0);
    }
    return {(keys_.empty() ? "" : "hash_") + call.function, std::move(options), arrow::FieldRef(column), call.name};
  }

  // `list` is an aggregate of groups only: without keys, all rows are one group of a constant.
  Result<TablePtr> Lists(const arrow::Table& table, const StepBounds& bounds) const {
    if (table.num_rows() == 0) return OfNothing();
    ARROW_ASSIGN_OR_RAISE(auto zeros, arrow::MakeArrayFromScalar(*arrow::MakeScalar(int32_t{0}), table.num_rows()));
    ARROW_ASSIGN_OR_RAISE(TablePtr grouped,
                          table.AddColumn(table.num_columns(), arrow::field("__group", arrow::int32()),
                                          std::make_shared<arrow::ChunkedArray>(zeros)));
    arrow::FieldVector fields = {arrow::field("__group", arrow::int32())};
    for (const auto& field : output_->fields()) fields.push_back(field);
    const Aggregate by_group({"__group"}, aggregates_, arrow::schema(fields));
    ARROW_ASSIGN_OR_RAISE(TablePtr result, by_group.Run({grouped}, bounds));
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
        const auto cast = cp::Cast(column, wanted);
        if (!cast.ok() && wanted->id() == arrow::Type::INT64) {
          return JobError(fmt::format("the sum '{}' is beyond what int64 holds; cast the column to a floating point number",
                                      Escaped(output_->field(i)->name())));
        }
        ARROW_RETURN_NOT_OK(cast.status());
        column = cast->chunked_array();
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

  Result<TablePtr> Run(const Tables& inputs, const StepBounds& bounds) const override {
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
    ARROW_ASSIGN_OR_RAISE(TablePtr groups, RunPlan(plan, bounds));
    ARROW_ASSIGN_OR_RAISE(auto rows, Whole(*groups->GetColumnByName("row")));
    ARROW_ASSIGN_OR_RAISE(auto order, AscendingOrder(rows, table.num_rows()));
    ARROW_ASSIGN_OR_RAISE(arrow::Datum sorted, cp::Take(rows, order));
    return TakeTable(table, sorted.make_array(), bounds);
  }

 private:
  std::vector<std::string> columns_;
  bool keep_first_;
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

}  // namespace mainstem
