// DeadLetters: the rows that a job has set aside, in memory and in a file, each once over restarts.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/operators/operator.h"
#include "mainstem/platform/file_system.h"
#include "mainstem/runtime/subtask.h"

namespace mainstem::runtime {

/// Dead letters kept in memory; the count goes on beyond them, and a file holds all where one was asked for.
constexpr size_t kDeadLettersKept = 100'000;

/// A job without checkpoints writes each letter at once. With them, a lane's letters wait for the checkpoint that covers
/// them: they are in the file, durably, before its manifest is, and a job that goes on removes from the file what the
/// manifest does not count. The file may hold letters of other jobs and of earlier runs, which stay.
///
/// Thread-safe. What a checkpoint covers, and what is restored, is said by one thread at a time.
class DeadLetters {
 public:
  /// `path`: JSON lines; empty: memory only. An error where the file cannot be written.
  static Result<std::unique_ptr<DeadLetters>> Make(FileSystem& files, std::string path, std::string job);

  /// From now on letters wait for checkpoints. `note`: a file of the job's own that tells from where on the letters in
  /// `path` are this run's; made where it is missing. `counted`: letters that the manifest counts from which the job goes
  /// on, 0 where it begins.
  Status AwaitCheckpoints(FileSystem& note_files, const std::string& note, int64_t counted);

  void Add(SubtaskId lane, DeadLetter letter);
  /// How many the lane has set aside since it began or went back: it asks when it takes a barrier.
  int64_t SetAsideBy(SubtaskId lane) const;
  /// The lane, or all, go on from their last complete snapshot: what they have set aside since comes again.
  void GoBack(SubtaskId lane);
  void GoBackAll();
  /// Writes what lanes had set aside at a barrier (as they counted then), durably. Returns how many count with these.
  /// Settle follows.
  Result<int64_t> Write(const std::map<SubtaskId, int64_t>& counts);
  /// Whether the checkpoint became complete that Write was for; else what was written is removed again.
  void Settle(bool is_complete);

  /// All that count, covered by a checkpoint or not.
  int64_t count() const;
  /// Those that this process knows: with a file all of the run, without one those since the checkpoint that it went on
  /// from.
  std::vector<DeadLetter> List() const;

 private:
  struct Lane {
    int64_t covered = 0;             ///< by a complete checkpoint, of those since it began or went back
    int64_t count = 0;               ///< the others
    std::deque<DeadLetter> letters;  ///< those, or the first of them where there is no file
  };

  DeadLetters(FileSystem& files, std::string path, std::string job)
      : files_(files), path_(std::move(path)), job_(std::move(job)) {}
  std::string ToLine(const DeadLetter& letter) const;
  Status Append(const std::string& lines);
  Status WriteNote(FileSystem& files, const std::string& note) const;
  Status KeepLines(int64_t expected, std::vector<DeadLetter>* kept, int64_t* found);
  void Keep(DeadLetter letter);  // under mutex_

  FileSystem& files_;
  const std::string path_;
  const std::string job_;
  bool awaits_checkpoints_ = false;
  int64_t begin_ = 0;    // where the run's letters begin in the file
  int64_t before_ = 0;   // letters of the run that are not in the file: it was moved away
  std::map<SubtaskId, int64_t> written_;  // letters of each lane that wait for Settle

  mutable std::mutex mutex_;
  int64_t covered_ = 0;              // guarded by mutex_, as are the following
  std::vector<DeadLetter> kept_;
  std::map<SubtaskId, Lane> lanes_;
};

}  // namespace mainstem::runtime
