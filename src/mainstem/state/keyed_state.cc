#include "mainstem/state/keyed_state.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "mainstem/base/quantity.h"
#include "mainstem/state/key_group.h"

namespace mainstem {
namespace {

constexpr int64_t kBytesAKey = 64;  // of a node in the map beside the key's text

std::shared_ptr<arrow::Schema> RowsSchema(size_t words) {
  arrow::FieldVector fields = {arrow::field("key_group", arrow::int32()), arrow::field("key", arrow::large_binary())};
  for (size_t i = 0; i < words; ++i) fields.push_back(arrow::field("word" + std::to_string(i), arrow::int64()));
  return arrow::schema(std::move(fields));
}

Status Damaged() { return JobError("the keyed state of a snapshot does not have the form that this release gives it"); }

}  // namespace

void KeyedState::DeclareIn(DeclaredState& state, const std::string& name) {
  const std::string scoped = std::string(kKeyedScope) + name;
  state.Form([this, scoped](Snapshot& to) { to.batches[scoped] = {{.rows = ToRows()}}; },
             [this, scoped](Snapshot& from) -> Status {
               slots_.clear();
               words_.clear();
               key_bytes_ = 0;
               for (const Batch& batch : from.Take(scoped)) ARROW_RETURN_NOT_OK(FromRows(*batch.rows));
               return Status::OK();
             });
}

std::span<KeyedState::Word> KeyedState::At(std::string_view key, bool* is_new) {
  const auto found = slots_.find(key);
  *is_new = found == slots_.end();
  size_t slot = *is_new ? slots_.size() : found->second;
  if (*is_new) {
    slots_.emplace(std::string(key), slot);
    words_.resize(words_.size() + words_a_key_);
    key_bytes_ += static_cast<int64_t>(key.size());
  }
  return std::span<Word>(words_).subspan(slot * words_a_key_, words_a_key_);
}

int64_t KeyedState::bytes() const {
  return key_bytes_ + size() * kBytesAKey + static_cast<int64_t>(words_.capacity() * sizeof(Word));
}

Status KeyedState::CheckBytes(int64_t bytes_most, std::string_view name) const {
  if (bytes() <= bytes_most) return Status::OK();
  return JobError(fmt::format("{} remembers {} keys, {} of memory, and may use {}: raise the memory budget, or take keys "
                              "of fewer values",
                              name, size(), FormatBytes(bytes()), FormatBytes(bytes_most)));
}

// Memory that cannot be had ends the process, as everywhere where a container grows.
std::shared_ptr<arrow::RecordBatch> KeyedState::ToRows() const {
  arrow::Int32Builder groups;
  arrow::LargeBinaryBuilder keys;
  std::vector<arrow::Int64Builder> words(words_a_key_);
  const auto fill = [&]() -> Status {
    ARROW_RETURN_NOT_OK(groups.Reserve(size()));
    ARROW_RETURN_NOT_OK(keys.Reserve(size()));
    ARROW_RETURN_NOT_OK(keys.ReserveData(key_bytes_));
    for (auto& column : words) ARROW_RETURN_NOT_OK(column.Reserve(size()));
    for (const auto& [key, slot] : slots_) {
      groups.UnsafeAppend(KeyGroupOf(key));
      keys.UnsafeAppend(key);
      for (size_t i = 0; i < words_a_key_; ++i) words[i].UnsafeAppend(words_[slot * words_a_key_ + i]);
    }
    return Status::OK();
  };
  if (const Status filled = fill(); !filled.ok()) filled.Abort();
  arrow::ArrayVector columns = {groups.Finish().ValueOrDie(), keys.Finish().ValueOrDie()};
  for (auto& column : words) columns.push_back(column.Finish().ValueOrDie());
  return arrow::RecordBatch::Make(RowsSchema(words_a_key_), size(), std::move(columns));
}

Status KeyedState::FromRows(const arrow::RecordBatch& rows) {
  if (!rows.schema()->Equals(*RowsSchema(words_a_key_), /*check_metadata=*/false)) return Damaged();
  const auto& keys = static_cast<const arrow::LargeBinaryArray&>(*rows.column(1));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    bool is_new = false;
    const std::span<Word> words = At(keys.GetView(row), &is_new);
    if (!is_new) return Damaged();
    for (size_t i = 0; i < words_a_key_; ++i) {
      words[i] = static_cast<const arrow::Int64Array&>(*rows.column(static_cast<int>(i) + 2)).Value(row);
    }
  }
  return Status::OK();
}

Result<const int32_t*> KeyGroupsOf(const arrow::RecordBatch& rows) {
  if (rows.num_columns() < 2 || rows.column(0)->type_id() != arrow::Type::INT32) return Damaged();
  const int32_t* groups = static_cast<const arrow::Int32Array&>(*rows.column(0)).raw_values();
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    if (groups[row] < 0 || groups[row] >= kKeyGroups) return Damaged();
  }
  return groups;
}

}  // namespace mainstem
