// Manifest: what one checkpoint consists of; a checkpoint is complete when its manifest is there.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem::checkpoint {

/// A snapshot on disk, in its envelope.
struct SnapshotFile {
  std::string name;   ///< relative to the job's folder: "checkpoint-7/2-0-3.snapshot"
  int64_t bytes = 0;  ///< of the whole file

  bool operator==(const SnapshotFile&) const = default;
};

/// One subtask's part of a checkpoint.
struct SubtaskSnapshot {
  int task = 0;
  int lane = 0;
  SnapshotFile file;
  int64_t taken_at = 0;  ///< the checkpoint whose barrier made it: an earlier one where a region fell back
  int64_t in_flight_bytes = 0;
  int64_t in_flight_batches = 0;
  int64_t calls = 0;     ///< calls in flight, kept as their inputs

  bool operator==(const SubtaskSnapshot&) const = default;
};

/// Something that a sink has staged and that is still to be committed.
struct PendingCommit {
  int64_t checkpoint = 0;  ///< the one that covers it
  std::string content;     ///< the sink's own words

  bool operator==(const PendingCommit&) const = default;
};

struct Manifest {
  enum class Kind { kCheckpoint, kSavepoint, kFinal };

  int64_t checkpoint = 0;
  int64_t epoch = 0;  ///< of the attempt that made it
  Kind kind = Kind::kCheckpoint;
  std::string job;
  std::string graph;  ///< describes the job; compared when it is restored
  bool unaligned = false;
  int64_t started_wall_ns = 0;
  int64_t duration_ns = 0;
  std::vector<SubtaskSnapshot> subtasks;
  std::map<int, std::string> sources;      ///< task → how far its splits are handed out
  std::map<int, int> parallelism;          ///< task → number of lanes
  std::vector<PendingCommit> pending;
  std::map<std::string, int64_t> counters;
  std::vector<std::string> fallen_back;    ///< regions, for people

  bool operator==(const Manifest&) const = default;
};

/// A manifest that is larger is neither written nor read.
inline constexpr int64_t kManifestBytesMax = int64_t{256} << 20;

std::string_view ToString(Manifest::Kind kind);

/// Checks what ToJson and FromJson both require: no negative numbers but for counters, each lane once and within its
/// task's parallelism, files with names as Storage gives them. An error says which field is wrong.
Status Validate(const Manifest& manifest);

/// Text as JSON; what is not UTF-8 goes as base64. Names of counters must be UTF-8.
Result<std::string> ToJson(const Manifest& manifest);

/// Parses strictly: every field there, of its type and in its range, and no others. Any bytes may be given.
Result<Manifest> FromJson(std::string_view json);

/// Whether a name is one that Storage gives a snapshot: "checkpoint-<n>/<file>.snapshot" or "savepoint-<n>/…", so
/// that no manifest leads outside the job's folder.
bool IsSnapshotName(std::string_view name);

}  // namespace mainstem::checkpoint
