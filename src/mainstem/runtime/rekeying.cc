#include "mainstem/runtime/rekeying.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "mainstem/operators/key_partition.h"
#include "mainstem/state/keyed_state.h"

namespace mainstem::runtime {
namespace {

constexpr std::string_view kQueue = "chain/operator/0/queue";
const std::string kKeyedState = "chain/operator/0/state/" + std::string(kKeyedScope);

// A planted defect: as if the number of lanes divided that of groups.
int UnevenLaneOf(int group, int lanes) { return std::min(group / (kKeyGroups / lanes), lanes - 1); }

class Rekeying {
 public:
  Rekeying(const std::vector<int>& keys, const std::vector<int>& owners, const Plants& plants,
           std::map<int, Snapshot>& lanes)
      : keys_(keys), owners_(owners), plants_(plants), lanes_(lanes) {}

  Status Run() {
    for (const int owner : owners_) Reopen(lanes_[owner]);
    MoveGates();
    for (const std::string& name : Names("channel/")) ARROW_RETURN_NOT_OK(MoveChannel(name));
    for (const std::string& name : Names(kKeyedState)) ARROW_RETURN_NOT_OK(MoveState(name));
    return MoveQueues();
  }

 private:
  // Names of batches that any lane has.
  std::set<std::string> Names(const std::string& prefix) const {
    std::set<std::string> names;
    for (const auto& [lane, snapshot] : lanes_) {
      for (const auto& [name, batches] : snapshot.batches) {
        if (name.starts_with(prefix)) names.insert(name);
      }
    }
    return names;
  }

  std::vector<Batch> TakeOfAll(const std::string& name) {
    std::vector<Batch> all;
    for (auto& [lane, snapshot] : lanes_) {
      for (Batch& batch : snapshot.Take(name)) all.push_back(std::move(batch));
    }
    return all;
  }

  // A lane that had come to its end, because it owned no keys or its keys' rows had ended, may get others' keys. Where
  // there is no more input it ends again.
  static void Reopen(Snapshot& snapshot) {
    snapshot.numbers.erase("ended");
    for (auto& [name, number] : snapshot.numbers) {
      const bool flag = name.ends_with("/input_ended") || name.ends_with("/done");
      if (name.starts_with("chain/") && flag) number = 0;
    }
  }

  // Everybody goes on at the first order that one of them has not had in full; what others had of it is not sent again.
  void MoveGates() {
    std::map<std::string, int64_t> next;
    for (auto& [lane, snapshot] : lanes_) {
      for (const auto& [name, number] : snapshot.numbers) {
        if (!name.starts_with("input/") || !name.ends_with("/next_order")) continue;
        const auto [entry, is_new] = next.emplace(name, number);
        if (!is_new) entry->second = std::min(entry->second, number);
      }
      std::erase_if(snapshot.numbers, [](const auto& entry) { return entry.first.starts_with("input/"); });
    }
    for (const int owner : owners_) {
      for (const auto& [name, number] : next) lanes_[owner].numbers[name] = number;
    }
  }

  // What one producer has sent: every order ascends in every lane, and who finished an order told all lanes.
  Status MoveChannel(const std::string& name) {
    std::vector<Batch> sent = TakeOfAll(name);
    std::stable_sort(sent.begin(), sent.end(), [](const Batch& a, const Batch& b) { return a.order < b.order; });
    for (size_t i = 0; i < sent.size();) {
      size_t end = i;
      bool finished = false;
      for (; end < sent.size() && sent[end].order == sent[i].order; ++end) finished |= sent[end].last_of_order;
      for (; i < end; ++i) {
        sent[i].last_of_order = finished && i + 1 == end;
        ARROW_RETURN_NOT_OK(Give(name, sent[i]));
      }
    }
    return Status::OK();
  }

  Status Give(const std::string& name, const Batch& batch) {
    ARROW_ASSIGN_OR_RAISE(const RowParts parts, PartitionByKey(batch.rows, keys_, static_cast<int>(owners_.size())));
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (parts[i]->num_rows() == 0 && !batch.last_of_order) continue;
      Batch part = batch;
      part.rows = parts[i];
      lanes_[owners_[i]].batches[name].push_back(std::move(part));
    }
    return Status::OK();
  }

  Status MoveState(const std::string& name) {
    auto* lane_of = plants_.uneven_key_groups ? UnevenLaneOf : LaneOfKeyGroup;
    for (const Batch& batch : TakeOfAll(name)) {
      ARROW_ASSIGN_OR_RAISE(const RowParts parts,
                            PartitionByKeyGroup(batch.rows, static_cast<int>(owners_.size()), lane_of));
      for (size_t i = 0; i < owners_.size(); ++i) {
        if (parts[i]->num_rows() > 0) lanes_[owners_[i]].batches[name].push_back({.rows = parts[i]});
      }
    }
    return Status::OK();
  }

  // Batches that had been read and not been given to the operator: they come first, in an order of the new owner's.
  Status MoveQueues() {
    const std::string name(kQueue);
    for (Batch& batch : TakeOfAll(name)) {
      batch.last_of_order = true;
      if (batch.rows->num_rows() == 0) continue;
      ARROW_ASSIGN_OR_RAISE(const RowParts parts, PartitionByKey(batch.rows, keys_, static_cast<int>(owners_.size())));
      for (size_t i = 0; i < owners_.size(); ++i) {
        if (parts[i]->num_rows() == 0) continue;
        Snapshot& owner = lanes_[owners_[i]];
        owner.batches[name].push_back({.rows = parts[i], .order = owner.numbers["next_order"]++});
      }
    }
    return Status::OK();
  }

  const std::vector<int>& keys_;
  const std::vector<int>& owners_;
  const Plants& plants_;
  std::map<int, Snapshot>& lanes_;
};

}  // namespace

Status Rekey(const std::vector<int>& keys, const std::vector<int>& owners, const Plants& plants,
             std::map<int, Snapshot>* lanes) {
  return Rekeying(keys, owners, plants, *lanes).Run();
}

}  // namespace mainstem::runtime
