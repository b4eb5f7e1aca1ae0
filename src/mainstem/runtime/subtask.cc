#include "mainstem/runtime/subtask.h"

#include <arrow/array/util.h>
#include <arrow/record_batch.h>

namespace mainstem::runtime {

std::string_view ToString(Wait wait) {
  switch (wait) {
    case Wait::kNothing: return "running";
    case Wait::kInput: return "input";
    case Wait::kRoom: return "room downstream";
    case Wait::kReply: return "replies";
    case Wait::kMemory: return "memory";
    case Wait::kEnded: return "ended";
  }
  return "?";
}

Result<std::optional<Split>> SplitQueue::Next() {
  const std::lock_guard lock(mutex_);
  ARROW_ASSIGN_OR_RAISE(std::optional<Split> split, enumerator_->Next());
  if (split) split->ordinal = next_ordinal_++;
  return split;
}

bool Subtask::Run() {
  constexpr int kStepsAtOnce = 16;
  if (ended_) return false;
  wait_ = Wait::kNothing;
  for (int i = 0; i < kStepsAtOnce; ++i) {
    if (parts_.host->cancelled()) {
      End();
      return false;
    }
    const Result<bool> progress = StepOnce();
    if (!progress.ok()) {
      parts_.host->Failed(progress.status());
      End();
      return false;
    }
    if (ended_) return false;
    if (!*progress) return false;
  }
  return true;
}

// One step, the one nearest the sink that can be taken.
Result<bool> Subtask::StepOnce() {
  ARROW_ASSIGN_OR_RAISE(const bool delivered, Deliver());
  if (delivered) return true;
  if (parts_.chain->Finished()) {
    if (parts_.writer) {
      ARROW_ASSIGN_OR_RAISE(committables_, parts_.writer->Prepare());
    }
    End();
    return true;
  }
  ARROW_ASSIGN_OR_RAISE(const bool stepped, parts_.chain->Step());
  if (stepped) return true;
  if (!parts_.chain->outgoing().empty()) {
    wait_ = Wait::kRoom;
    return false;
  }
  if (parts_.chain->WantsInput()) {
    ARROW_ASSIGN_OR_RAISE(const Read read, ReadInput());
    switch (read) {
      case Read::kGot: return true;
      case Read::kEnd: parts_.chain->EndInput(); return true;
      case Read::kNoMemory: wait_ = Wait::kMemory; return false;
      case Read::kNothing: wait_ = parts_.chain->Outstanding() > 0 ? Wait::kReply : Wait::kInput; return false;
    }
  }
  if (parts_.chain->Satisfied()) {
    for (const auto& input : parts_.inputs) input->Close();
  }
  wait_ = parts_.chain->Outstanding() > 0 ? Wait::kReply : Wait::kRoom;
  return false;
}

// Hands what the chain has made to the sink or to whoever is next.
Result<bool> Subtask::Deliver() {
  auto& outgoing = parts_.chain->outgoing();
  bool delivered = false;
  while (!outgoing.empty()) {
    if (parts_.writer) {
      const auto& rows = outgoing.front().rows;
      if (rows->num_rows() > 0) {
        const int64_t before = parts_.writer->bytes_written();
        ARROW_RETURN_NOT_OK(parts_.writer->Write(rows));
        parts_.host->Written(rows->num_rows(), parts_.writer->bytes_written() - before);
      }
    } else {
      // Batches of one order stay together, so that the reader can restore the order.
      Channel& channel = *parts_.outputs[static_cast<size_t>(outgoing.front().order) % parts_.outputs.size()];
      if (!channel.HasRoom()) break;
      channel.Push(std::move(outgoing.front()));
    }
    outgoing.pop_front();
    delivered = true;
  }
  // Where nobody downstream wants more, there is nothing left to do here.
  if (!parts_.outputs.empty() && !parts_.writer) {
    bool all_closed = true;
    for (const auto& output : parts_.outputs) all_closed &= output->closed();
    if (all_closed) {
      End();
      return true;
    }
  }
  return delivered;
}

Result<Subtask::Read> Subtask::ReadInput() { return parts_.source ? ReadSource() : ReadChannels(); }

Result<Subtask::Read> Subtask::ReadSource() {
  if (!parts_.host->MayProduce()) {
    parts_.host->AwaitMemory(this);
    return Read::kNoMemory;
  }
  if (!reader_) {
    ARROW_ASSIGN_OR_RAISE(split_, parts_.splits->Next());
    if (!split_) return Read::kEnd;
    ARROW_ASSIGN_OR_RAISE(reader_, parts_.source->Open(*split_, parts_.scan));
  }
  ARROW_ASSIGN_OR_RAISE(auto rows, reader_->Next());
  Batch batch{.order = split_->ordinal, .last_of_order = rows == nullptr};
  if (rows) {
    parts_.host->SourceRead(rows->num_rows(), BytesOf(*rows));
    batch.rows = std::move(rows);
  } else {
    reader_.reset();
    // The mark that the split has ended, carried by a batch without rows.
    arrow::ArrayVector columns;
    for (const auto& field : parts_.scan_schema->fields()) {
      ARROW_ASSIGN_OR_RAISE(auto column, arrow::MakeEmptyArray(field->type()));
      columns.push_back(std::move(column));
    }
    batch.rows = arrow::RecordBatch::Make(parts_.scan_schema, 0, std::move(columns));
  }
  parts_.chain->Push(std::move(batch));
  return Read::kGot;
}

Result<Subtask::Read> Subtask::ReadChannels() {
  bool all_drained = true;
  for (size_t i = 0; i < parts_.inputs.size(); ++i) {
    OrderedMerge& input = *parts_.inputs[i];
    std::optional<Batch> batch = input.Pop();
    if (batch) {
      batch->input = static_cast<int>(i);
      if (parts_.renumber) {
        batch->order = next_order_++;
        batch->last_of_order = true;
      }
      parts_.chain->Push(std::move(*batch));
      return Read::kGot;
    }
    if (input.Drained()) continue;
    all_drained = false;
    if (parts_.renumber) break;  // a union: one input after the other
  }
  return all_drained ? Read::kEnd : Read::kNothing;
}

void Subtask::End() {
  if (ended_) return;
  ended_ = true;
  wait_ = Wait::kEnded;
  for (const auto& input : parts_.inputs) input->Close();
  for (const auto& output : parts_.outputs) output->End();
  parts_.chain->outgoing().clear();
  reader_.reset();
  parts_.host->Ended(std::move(committables_));
}

}  // namespace mainstem::runtime
