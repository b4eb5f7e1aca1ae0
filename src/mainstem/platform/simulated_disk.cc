#include "mainstem/platform/simulated_disk.h"

#include <algorithm>

namespace mainstem {
namespace {

std::vector<std::string> Names(const std::string& path) {
  std::vector<std::string> names;
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    if (!name.empty() && name != ".") names.push_back(name);
    begin = end + 1;
  }
  return names;
}

bool Coin(Random* random) { return random->Next() % 2 == 0; }

}  // namespace

SimulatedDisk::SimulatedDisk() : root_(std::make_shared<Node>()) { root_->is_folder = true; }

SimulatedDisk::NodePtr SimulatedDisk::Find(const std::string& path) const {
  NodePtr node = root_;
  for (const std::string& name : Names(path)) {
    const auto found = node->entries.find(name);
    if (found == node->entries.end()) return nullptr;
    node = found->second;
  }
  return node;
}

std::optional<SimulatedDisk::Place> SimulatedDisk::PlaceOf(const std::string& path) const {
  const std::vector<std::string> names = Names(path);
  if (names.empty()) return std::nullopt;
  NodePtr folder = root_;
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    const auto found = folder->entries.find(names[i]);
    if (found == folder->entries.end()) return std::nullopt;
    folder = found->second;
  }
  if (!folder->is_folder) return std::nullopt;
  return Place{folder, names.back()};
}

void SimulatedDisk::Make(Change change) {
  change.node->modified_ns = ++changes_;
  if (change.from) change.from->folder->entries.erase(change.from->name);
  if (change.to) change.to->folder->entries[change.to->name] = change.node;
  pending_.push_back(std::move(change));
}

void SimulatedDisk::Link(const Place& place, const NodePtr& node) { Make({.to = place, .node = node}); }

void SimulatedDisk::Unlink(const Place& place) {
  Make({.from = place, .node = place.folder->entries.at(place.name)});
}

void SimulatedDisk::Rename(const Place& from, const Place& to) {
  if (from == to) return;
  Make({.from = from, .to = to, .node = from.folder->entries.at(from.name)});
}

void SimulatedDisk::MakeDurable(const Change& change) {
  if (change.from) {
    // Where an earlier change was lost, this one has nothing to take away, and a rename nothing to move.
    auto& names = change.from->folder->durable_entries;
    const auto found = names.find(change.from->name);
    if (found == names.end() || found->second != change.node) return;
    names.erase(found);
  }
  if (change.to) change.to->folder->durable_entries[change.to->name] = change.node;
}

// Makes durable what is synced, but for changes of a name that an earlier one, not synced, changes too.
void SimulatedDisk::Settle() {
  std::vector<Change> left;
  for (Change& change : pending_) {
    const bool waits = std::any_of(left.begin(), left.end(), [&](const Change& earlier) {
      return (change.from && earlier.Touches(*change.from)) || (change.to && earlier.Touches(*change.to));
    });
    if (change.synced() && !waits) {
      MakeDurable(change);
    } else {
      left.push_back(std::move(change));
    }
  }
  pending_ = std::move(left);
}

void SimulatedDisk::SyncContent(Node* node) { node->durable_bytes = node->content.size(); }

void SimulatedDisk::LoseSync(Node* node) {
  if (node->durable_bytes == node->content.size()) return;
  node->doubtful.emplace_back(node->durable_bytes, node->content.size());
  node->durable_bytes = node->content.size();
}

void SimulatedDisk::SyncFolder(const NodePtr& folder) {
  for (Change& change : pending_) {
    if (change.from && change.from->folder == folder) change.from_synced = true;
    if (change.to && change.to->folder == folder) change.to_synced = true;
  }
  Settle();
}

void SimulatedDisk::SyncAll() {
  for (Change& change : pending_) change.from_synced = change.to_synced = true;
  Settle();
  std::vector<NodePtr> nodes = {root_};
  while (!nodes.empty()) {
    const NodePtr node = std::move(nodes.back());
    nodes.pop_back();
    SyncContent(node.get());
    for (const auto& [name, child] : node->entries) nodes.push_back(child);
  }
}

void SimulatedDisk::Crash(Random* random) {
  // Sometimes all or nothing, so that the ends of the range are met too.
  const uint64_t mode = random->Next() % 4;
  for (const Change& change : pending_) {
    const bool kept = mode == 0 ? false : mode == 1 ? true : Coin(random);
    if (change.synced() || kept) MakeDurable(change);
  }
  pending_.clear();
  std::vector<NodePtr> nodes = {root_};
  while (!nodes.empty()) {
    const NodePtr node = std::move(nodes.back());
    nodes.pop_back();
    if (!node->is_folder) CrashContent(node.get(), random);
    node->entries = node->durable_entries;
    for (const auto& [name, child] : node->entries) nodes.push_back(child);
  }
}

void SimulatedDisk::CrashContent(Node* node, Random* random) {
  const size_t durable = node->durable_bytes;
  const size_t unsynced = node->content.size() - durable;
  if (unsynced > 0) {
    switch (random->Next() % 4) {
      case 0: node->content.resize(durable); break;
      case 1: node->content.resize(durable + random->Next() % (unsynced + 1)); break;
      case 2: TearBlocks(node, durable, node->content.size(), random); break;
      case 3: break;  // all of it made it
    }
  }
  for (const auto& [begin, end] : node->doubtful) TearBlocks(node, begin, end, random);
  node->doubtful.clear();
  node->durable_bytes = node->content.size();
}

// Of every block that [begin, end) touches, its part in there is kept, reads as zeros, or is what stood on the disk
// before.
void SimulatedDisk::TearBlocks(Node* node, size_t begin, size_t end, Random* random) {
  while (begin < end) {
    const size_t block_end = std::min(end, (begin / kBlockBytes + 1) * kBlockBytes);
    const uint64_t fate = random->Next() % 3;
    for (size_t i = begin; fate != 0 && i < block_end; ++i) {
      node->content[i] = fate == 1 ? '\0' : static_cast<char>(random->Next());
    }
    begin = block_end;
  }
}

int64_t SimulatedDisk::used_bytes() const {
  int64_t bytes = 0;
  std::vector<const Node*> nodes = {root_.get()};
  while (!nodes.empty()) {
    const Node* node = nodes.back();
    nodes.pop_back();
    bytes += static_cast<int64_t>(node->content.size());
    for (const auto& [name, child] : node->entries) nodes.push_back(child.get());
  }
  return bytes;
}

}  // namespace mainstem
