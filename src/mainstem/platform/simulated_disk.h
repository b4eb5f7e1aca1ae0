// SimulatedDisk: a tree of files in memory, what of it is durable, and what a power loss leaves of the rest.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mainstem/platform/random.h"

namespace mainstem {

/// What SimulatedFileSystem stands on; knows nothing of processes, faults and errors. Files grow at their end only, as
/// FileSystem's do. Not thread-safe.
class SimulatedDisk {
 public:
  struct Node {
    bool is_folder = false;
    int64_t modified_ns = 0;
    std::string content;        ///< of a file, as readers see it
    size_t durable_bytes = 0;   ///< this much of the content survives
    /// Pieces of the durable content whose sync failed: the kernel took them for written, the disk has not got them.
    std::vector<std::pair<size_t, size_t>> doubtful;
    std::map<std::string, std::shared_ptr<Node>> entries;          ///< of a folder, as readers see them
    std::map<std::string, std::shared_ptr<Node>> durable_entries;  ///< the names that survive
  };
  using NodePtr = std::shared_ptr<Node>;

  /// A name in a folder, taken or not.
  struct Place {
    NodePtr folder;
    std::string name;
    bool operator==(const Place&) const = default;
  };

  static constexpr size_t kBlockBytes = 512;

  SimulatedDisk();

  /// What a path leads to; null where nothing.
  NodePtr Find(const std::string& path) const;
  /// Where a path's name is or would be; nothing where the folder is missing, or for the root itself.
  std::optional<Place> PlaceOf(const std::string& path) const;

  void Link(const Place& place, const NodePtr& node);
  void Unlink(const Place& place);
  void Rename(const Place& from, const Place& to);

  void SyncContent(Node* node);
  /// A sync that failed: later ones do not write what this one should have.
  void LoseSync(Node* node);
  void SyncFolder(const NodePtr& folder);
  void SyncAll();

  /// Power loss. Every name not synced is lost or kept by itself, in the order of the changes; a rename is done or not
  /// done. The end of a file that was not synced is lost, cut, or has blocks that were never written.
  void Crash(Random* random);

  /// Bytes of all files that have a name.
  int64_t used_bytes() const;

 private:
  // One change of names that is not durable yet: `to` leads to `node`, and `from` (of a rename) to nothing. A removal
  // has no `to`.
  struct Change {
    std::optional<Place> from;
    std::optional<Place> to;
    NodePtr node;
    bool from_synced = false;
    bool to_synced = false;

    bool synced() const { return (!from || from_synced) && (!to || to_synced); }
    bool Touches(const Place& place) const { return from == place || to == place; }
  };

  void Make(Change change);
  static void MakeDurable(const Change& change);
  void Settle();
  static void CrashContent(Node* node, Random* random);
  static void TearBlocks(Node* node, size_t begin, size_t end, Random* random);

  NodePtr root_;
  std::vector<Change> pending_;  // oldest first
  int64_t changes_ = 0;
};

}  // namespace mainstem
