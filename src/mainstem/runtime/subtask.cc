#include "mainstem/runtime/subtask.h"

#include <arrow/array/util.h>
#include <arrow/record_batch.h>

#include <algorithm>

#include "mainstem/operators/key_partition.h"

namespace mainstem::runtime {

std::string_view ToString(Wait wait) {
  switch (wait) {
    case Wait::kNothing: return "running";
    case Wait::kInput: return "input";
    case Wait::kRoom: return "room downstream";
    case Wait::kReply: return "replies";
    case Wait::kMemory: return "memory";
    case Wait::kTime: return "new splits";
    case Wait::kEnded: return "ended";
  }
  return "?";
}

template <typename Visit>
void Subtask::EachInputChannel(Visit visit) const {
  for (const auto& input : parts_.inputs) {
    for (const auto& channel : input->channels()) visit(*channel);
  }
}

bool Subtask::Run() {
  constexpr int kStepsAtOnce = 16;
  const std::unique_lock lock(running_, std::try_to_lock);
  if (!lock) return false;
  if (ended_) return false;
  if (born_ended_) {
    End(true);
    return false;
  }
  wait_ = Wait::kNothing;
  for (int i = 0; i < kStepsAtOnce; ++i) {
    if (parts_.host->cancelled()) {
      End(false);
      return false;
    }
    const Result<bool> progress = StepOnce();
    if (!progress.ok()) {
      parts_.host->Failed(parts_.id, progress.status());
      End(false);
      return false;
    }
    if (ended_) return false;
    if (!*progress) return false;
  }
  return true;
}

// One step, the one nearest the sink that can be taken.
Result<bool> Subtask::StepOnce() {
  ARROW_RETURN_NOT_OK(spoiled_);
  ARROW_ASSIGN_OR_RAISE(const bool passed, CheckBarriers());
  if (passed) return true;
  ARROW_ASSIGN_OR_RAISE(const bool delivered, Deliver());
  if (delivered) return true;
  if (parts_.chain->Finished()) {
    if (parts_.writer) {
      ARROW_ASSIGN_OR_RAISE(committables_, parts_.writer->Prepare());
    }
    End(true);
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
      case Read::kLater:
        parts_.host->AwaitTime(this, retry_after_ns_);
        wait_ = parts_.chain->Outstanding() > 0 ? Wait::kReply : Wait::kTime;
        return false;
      case Read::kNothing:
        wait_ = parts_.chain->Outstanding() > 0 ? Wait::kReply : Wait::kInput;
        return StuckBehindBarriers();
    }
  }
  if (parts_.chain->Satisfied()) {
    for (const auto& input : parts_.inputs) input->Close();
  }
  wait_ = parts_.chain->Outstanding() > 0 ? Wait::kReply : Wait::kRoom;
  return false;
}

// Returns whether a barrier has been passed or a capture has ended.
Result<bool> Subtask::CheckBarriers() {
  if (capturing_) {
    if (!CapturedAll()) return false;
    FinishCapture();
    return true;
  }
  const int64_t requested = requested_.load();
  if (parts_.inputs.empty()) {
    if (requested <= barrier_) return false;
    ARROW_RETURN_NOT_OK(TakeSnapshot(requested, /*capture=*/false));
    return true;
  }
  return CheckChannels();
}

Result<bool> Subtask::CheckChannels() {
  int64_t newest = 0;
  bool reachable = false;  // by a producer's barrier
  EachInputChannel([&](Channel& channel) {
    newest = std::max(newest, channel.NewestBarrier());
    reachable |= channel.MayGiveBarrier();
  });
  if (!reachable) newest = std::max(newest, requested_.load());
  if (newest <= barrier_) return false;
  aligning_ = newest;
  bool at_heads = true;
  bool first_at_head = false;
  EachInputChannel([&](Channel& channel) {
    // Barriers of checkpoints that were given up are passed over.
    std::optional<int64_t> head = channel.HeadBarrier();
    while (head && *head < aligning_) {
      channel.PopBarrier();
      head = channel.HeadBarrier();
    }
    const bool at_head = head && *head == aligning_;
    first_at_head |= at_head;
    at_heads &= at_head || channel.Drained() || channel.closed();
  });
  if (at_heads || (parts_.plants.no_alignment && first_at_head)) {
    ARROW_RETURN_NOT_OK(TakeSnapshot(aligning_, /*capture=*/false));
    return true;
  }
  if (parts_.host->Unaligned(aligning_)) {
    ARROW_RETURN_NOT_OK(TakeSnapshot(aligning_, /*capture=*/true));
    return true;
  }
  return false;
}

// Where rows are read in the order of their source, what comes next may stand behind a barrier that others have not
// reached: then what is before the barriers becomes part of the snapshot.
Result<bool> Subtask::StuckBehindBarriers() {
  if (aligning_ <= barrier_) return false;
  bool all_here = true;
  EachInputChannel([&](Channel& channel) { all_here &= channel.HasBarrierOrEnded(aligning_); });
  if (!all_here) return false;
  ARROW_RETURN_NOT_OK(TakeSnapshot(aligning_, /*capture=*/true));
  return true;
}

Status Subtask::TakeSnapshot(int64_t checkpoint, bool capture) {
  SubtaskSnapshot taken;
  Snapshot& state = taken.state;
  if (parts_.writer) {
    ARROW_ASSIGN_OR_RAISE(taken.committables, parts_.writer->Prepare());
  }
  state.Add("chain", parts_.chain->Take());
  SaveFigures(state);
  state.numbers["next_order"] = next_order_;
  state.numbers["last_split"] = last_split_;
  state.numbers["newest_order"] = newest_order_;
  if (!parts_.outputs.empty()) state.texts["router"] = parts_.router->ToText();
  if (split_) {
    state.texts["split"] = split_->content;
    state.numbers["rows_read"] = rows_read_ + (parts_.plants.source_offset_off_by_one && rows_read_ > 0 ? 1 : 0);
  }
  for (size_t i = 0; i < parts_.inputs.size(); ++i) {
    state.Add("input/" + std::to_string(i), parts_.inputs[i]->Take());
  }
  EachInputChannel([&](Channel& channel) {
    if (capture) channel.StartCapture(checkpoint);
    const std::optional<int64_t> head = channel.HeadBarrier();
    if (!capture && head && *head == checkpoint) channel.PopBarrier();
  });
  barrier_ = checkpoint;
  for (const auto& output : parts_.outputs) output->PushBarrier(checkpoint);
  capturing_ = std::move(taken);
  if (!capture || CapturedAll()) FinishCapture();
  return Status::OK();
}

bool Subtask::CapturedAll() const {
  bool all = true;
  EachInputChannel([&](Channel& channel) { all &= channel.CaptureComplete(); });
  return all;
}

void Subtask::FinishCapture() {
  for (size_t i = 0; i < parts_.inputs.size(); ++i) {
    const auto& channels = parts_.inputs[i]->channels();
    for (size_t lane = 0; lane < channels.size(); ++lane) {
      std::vector<Batch> captured = channels[lane]->TakeCaptured();
      if (captured.empty()) continue;
      capturing_->state.batches["channel/" + std::to_string(i) + "/" + std::to_string(lane)] = std::move(captured);
    }
  }
  SubtaskSnapshot taken = std::move(*capturing_);
  capturing_.reset();
  parts_.host->SnapshotTaken(parts_.id, barrier_, std::move(taken));
}

void Subtask::SaveFigures(Snapshot& to) const {
  to.numbers["source_rows"] = figures_.source_rows;
  to.numbers["source_bytes"] = figures_.source_bytes;
  to.numbers["rows_written"] = figures_.rows_written;
  to.numbers["bytes_written"] = figures_.bytes_written;
  to.numbers["set_aside"] = parts_.host->SetAsideBy(parts_.id);
}

Status Subtask::Restore(Snapshot snapshot) {
  figures_.source_rows = snapshot.Number("source_rows");
  figures_.source_bytes = snapshot.Number("source_bytes");
  figures_.rows_written = snapshot.Number("rows_written");
  figures_.bytes_written = snapshot.Number("bytes_written");
  if (snapshot.Number("ended") != 0) {
    born_ended_ = true;
    return Status::OK();
  }
  next_order_ = snapshot.Number("next_order");
  last_split_ = snapshot.Number("last_split", -1);
  newest_order_ = snapshot.Number("newest_order", -1);
  if (snapshot.texts.contains("split")) {
    split_ = Split{.ordinal = last_split_, .content = snapshot.Text("split")};
    rows_read_ = snapshot.Number("rows_read");
    ARROW_ASSIGN_OR_RAISE(auto reader, parts_.source->Open(*split_, parts_.scan));
    ARROW_ASSIGN_OR_RAISE(reader_, Skipping(std::move(reader), rows_read_));
  }
  RestoreInputs(snapshot);
  return parts_.chain->Restore(snapshot.Extract("chain"));
}

void Subtask::RestoreInputs(Snapshot& snapshot) {
  for (size_t i = 0; i < parts_.inputs.size(); ++i) {
    parts_.inputs[i]->Restore(snapshot.Extract("input/" + std::to_string(i)));
    const auto& channels = parts_.inputs[i]->channels();
    for (size_t lane = 0; lane < channels.size(); ++lane) {
      channels[lane]->Restore(snapshot.Take("channel/" + std::to_string(i) + "/" + std::to_string(lane)));
    }
  }
}

bool Subtask::AtRest() const {
  bool rests = !capturing_;
  EachInputChannel([&](Channel& channel) { rests &= channel.NewestBarrier() == 0; });
  return rests;
}

Snapshot Subtask::TakeKeyed() {
  Snapshot snapshot;
  snapshot.numbers["next_order"] = next_order_;
  for (size_t i = 0; i < parts_.inputs.size(); ++i) {
    snapshot.Add("input/" + std::to_string(i), parts_.inputs[i]->Take());
    const auto& channels = parts_.inputs[i]->channels();
    for (size_t lane = 0; lane < channels.size(); ++lane) {
      snapshot.batches["channel/" + std::to_string(i) + "/" + std::to_string(lane)] = channels[lane]->TakeAll();
    }
  }
  snapshot.Add("chain", parts_.chain->TakeFirst());
  return snapshot;
}

Status Subtask::GiveKeyed(Snapshot snapshot) {
  next_order_ = snapshot.Number("next_order");
  RestoreInputs(snapshot);
  return parts_.chain->GiveFirst(snapshot.Extract("chain"));
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
        figures_.rows_written += rows->num_rows();
        figures_.bytes_written += parts_.writer->bytes_written() - before;
      }
    } else {
      ARROW_ASSIGN_OR_RAISE(const bool passed, PassOn(outgoing.front()));
      if (!passed) break;
    }
    outgoing.pop_front();
    delivered = true;
  }
  // Where nobody downstream wants more, there is nothing left to do here.
  if (!parts_.outputs.empty() && !parts_.writer) {
    bool all_closed = true;
    for (const auto& output : parts_.outputs) all_closed &= output->closed();
    if (all_closed) {
      End(true);
      return true;
    }
  }
  return delivered;
}

// Gives a batch to whoever is next, or nothing of it where there is no room.
Result<bool> Subtask::PassOn(Batch& batch) {
  newest_order_ = std::max(newest_order_, batch.order);
  if (parts_.reader_keys.empty()) {
    // Batches of one order stay together, so that the reader can restore the order.
    Channel& channel = *parts_.outputs[parts_.router->LaneOf(batch.order)];
    if (!channel.HasRoom()) return false;
    channel.Push(std::move(batch));
    return true;
  }
  const auto output = [&](size_t i) -> Channel& { return *parts_.outputs[static_cast<size_t>(parts_.owners[i])]; };
  for (size_t i = 0; i < parts_.owners.size(); ++i) {
    if (!output(i).HasRoom()) return false;
  }
  ARROW_ASSIGN_OR_RAISE(RowParts rows, PartitionByKey(batch.rows, parts_.reader_keys,
                                                      static_cast<int>(parts_.owners.size())));
  // A part without rows carries the mark.
  for (size_t i = 0; i < parts_.owners.size(); ++i) {
    if (rows[i]->num_rows() == 0 && !batch.last_of_order) continue;
    output(i).Push({.rows = std::move(rows[i]), .order = batch.order, .last_of_order = batch.last_of_order});
  }
  return true;
}

Result<Subtask::Read> Subtask::ReadInput() { return parts_.source ? ReadSource() : ReadChannels(); }

Result<Subtask::Read> Subtask::ReadSource() {
  if (!parts_.host->MayProduce()) {
    parts_.host->AwaitMemory(this);
    return Read::kNoMemory;
  }
  if (!reader_) {
    ARROW_ASSIGN_OR_RAISE(SplitQueue::Given given,
                          parts_.splits->Next(parts_.id.lane, barrier_, last_split_, retiring_.load()));
    retry_after_ns_ = given.retry_after_ns;
    if (!given.split) return retry_after_ns_ > 0 ? Read::kLater : Read::kEnd;
    ARROW_ASSIGN_OR_RAISE(reader_, parts_.source->Open(*given.split, parts_.scan));
    split_ = std::move(given.split);
    last_split_ = split_->ordinal;
    rows_read_ = 0;
  }
  ARROW_ASSIGN_OR_RAISE(auto rows, reader_->Next());
  Batch batch{.order = split_->ordinal, .last_of_order = rows == nullptr};
  if (rows) {
    rows_read_ += rows->num_rows();
    figures_.source_rows += rows->num_rows();
    figures_.source_bytes += BytesOf(*rows);
    batch.rows = std::move(rows);
  } else {
    reader_.reset();
    split_.reset();
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
    InputGate& input = *parts_.inputs[i];
    std::optional<Batch> batch = input.Pop();
    if (batch) {
      batch->input = static_cast<int>(i);
      if (parts_.renumber) {
        if (batch->rows->num_rows() == 0) return Read::kGot;  // it only carried a mark
        batch->order = next_order_++;
        batch->last_of_order = true;
      }
      parts_.chain->Push(std::move(*batch));
      return Read::kGot;
    }
    if (input.Drained()) continue;
    all_drained = false;
    if (parts_.concatenates) break;
  }
  return all_drained ? Read::kEnd : Read::kNothing;
}

void Subtask::End(bool completed) {
  if (ended_) return;
  ended_ = true;
  wait_ = Wait::kEnded;
  for (const auto& input : parts_.inputs) input->Close();
  if (completed) {
    // What was staged up to a barrier whose capture did not come to its end counts as well: having ended is the state.
    if (capturing_) {
      auto& earlier = capturing_->committables;
      committables_.insert(committables_.begin(), earlier.begin(), earlier.end());
    }
    for (const auto& output : parts_.outputs) output->End();
  }
  parts_.chain->outgoing().clear();
  reader_.reset();
  parts_.writer.reset();
  Snapshot counters;
  SaveFigures(counters);
  parts_.host->Ended(parts_.id, completed, std::move(committables_), std::move(counters));
}

}  // namespace mainstem::runtime
