#include "mainstem/services/journal/journal.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "mainstem/platform/die_point.h"
#include "mainstem/platform/file_system.h"
#include "mainstem/services/journal/journal_limits.h"
#include "mainstem/services/journal/used_keys.h"

namespace mainstem {
namespace {

// A stored value: when it was written (nanoseconds since 1970, little end first), then what was appended.
constexpr size_t kTimeBytes = 8;
constexpr char kFormatKey[] = "mainstem.journal.format";  // longer than a reply's key
constexpr char kFormat[] = "1";
constexpr char kLimitsKey[] = "mainstem.journal.limits";
constexpr size_t kDeletesABatch = 4096;
constexpr size_t kTrimmedAtOnce = 512;  // calls wait so long
// Times of writing are counted in steps, so that finding the oldest entries takes little memory whatever their number.
constexpr int64_t kTimeStepNs = 1'000'000'000;
constexpr size_t kTimeStepsMax = 100'000;

rocksdb::Slice ToSlice(const JournalKey& key) {
  return rocksdb::Slice(reinterpret_cast<const char*>(key.data()), key.size());
}

bool IsReply(const rocksdb::Slice& key) { return key.size() == JournalKey().size(); }

Result<int64_t> WrittenNs(const rocksdb::Slice& value, const std::string& folder) {
  int64_t ns = 0;
  if (value.size() < kTimeBytes) return JobError(fmt::format("an entry of the journal in {} is cut short", folder));
  std::memcpy(&ns, value.data(), kTimeBytes);
  return ns;
}

Status Failed(const rocksdb::Status& status, const std::string& folder, std::string_view what) {
  const std::string name = Escaped(folder);
  const std::string reason = Escaped(status.ToString());
  if (status.IsCorruption() || status.IsInvalidArgument() || status.IsNotSupported()) {
    return JobError(fmt::format(
        "the journal in {} is damaged, or is no journal ({}). Move the folder away to start a new one; replies in it "
        "would be paid for again", name, reason));
  }
  if (status.IsNoSpace()) {
    return JobError(fmt::format("the journal in {} cannot be written: the disk is full ({}). Make room there, or run "
                                "'mainstem journal gc {}'; finished replies are kept", name, reason, name));
  }
  return JobError(fmt::format("the journal in {} cannot be {} ({})", name, what, reason));
}

rocksdb::Options StoreOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = Journal::kWriteBufferBytes;
  options.max_open_files = Journal::kOpenFilesMax;
  options.max_background_jobs = 2;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  // Power loss may leave the last, unsynced record half written: it is dropped. What was synced stands before it.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  const auto known = rocksdb::GetSupportedCompressions();
  const auto has = [&known](rocksdb::CompressionType type) {
    return std::find(known.begin(), known.end(), type) != known.end();
  };
  options.compression = has(rocksdb::kLZ4Compression) ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  if (has(rocksdb::kZSTD)) options.bottommost_compression = rocksdb::kZSTD;
  // Indexes and filters grow with the store: they live in the cache, in parts.
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(Journal::kCacheBytes);
  table.cache_index_and_filter_blocks = true;
  table.pin_top_level_index_and_filter = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_size = 16 << 10;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

int64_t BytesBelow(const std::string& folder) {
  std::error_code error;
  int64_t bytes = 0;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // files come and go under a writer
    const auto size = it->file_size(gone);
    if (!gone) bytes += static_cast<int64_t>(size);
  }
  return bytes;
}

JournalStats StatsOf(rocksdb::DB& store, const std::string& folder) {
  JournalStats stats{.bytes = BytesBelow(folder)};
  uint64_t entries = 0;
  store.GetIntProperty(rocksdb::DB::Properties::kEstimateNumKeys, &entries);
  int64_t others = 1;  // entries that are no replies
  std::string limits;
  if (store.Get(rocksdb::ReadOptions(), kLimitsKey, &limits).ok()) {
    ReadLimits(limits, &stats);
    ++others;
  }
  stats.entries = std::max<int64_t>(0, static_cast<int64_t>(entries) - others);
  return stats;
}

class Store final : public Journal {
 public:
  Store(std::string folder, std::unique_ptr<rocksdb::DB> db, const Clock& clock)
      : folder_(std::move(folder)), db_(std::move(db)), clock_(clock), opened_ns_(clock.WallNs()) {}

  const std::string& folder() const override { return folder_; }

  Result<std::vector<std::optional<std::string>>> Lookup(const std::vector<JournalKey>& keys) override {
    const std::shared_lock<std::shared_mutex> lock(use_mutex_);
    std::vector<rocksdb::Slice> slices;
    for (const JournalKey& key : keys) {
      slices.push_back(ToSlice(key));
      if (used_ != nullptr) used_->Add(key);
    }
    std::vector<std::string> values;
    const std::vector<rocksdb::Status> found = db_->MultiGet(rocksdb::ReadOptions(), slices, &values);
    std::vector<std::optional<std::string>> results(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (found[i].IsNotFound()) continue;
      if (!found[i].ok()) return Failed(found[i], folder_, "read");
      ARROW_RETURN_NOT_OK(WrittenNs(values[i], folder_).status());
      results[i] = values[i].substr(kTimeBytes);
    }
    return results;
  }

  Status Append(const std::vector<JournalEntry>& entries) override {
    if (entries.empty()) return Status::OK();
    const std::shared_lock<std::shared_mutex> lock(use_mutex_);
    const int64_t now = clock_.WallNs();
    const rocksdb::Slice time(reinterpret_cast<const char*>(&now), kTimeBytes);
    rocksdb::WriteBatch batch;
    for (const JournalEntry& entry : entries) {
      const rocksdb::Slice key[] = {ToSlice(entry.key)};
      const rocksdb::Slice value[] = {time, entry.value};
      const rocksdb::Status put = batch.Put(rocksdb::SliceParts(key, 1), rocksdb::SliceParts(value, 2));
      if (!put.ok()) return Failed(put, folder_, "written");
      if (used_ != nullptr) used_->Add(entry.key);
    }
    return Write(&batch);
  }

  Result<JournalStats> Stats() override { return StatsOf(*db_, folder_); }

  Result<JournalCollection> Collect(const JournalBounds& bounds) override {
    const std::lock_guard<std::mutex> lock(collect_mutex_);
    JournalCollection done{.before = StatsOf(*db_, folder_)};
    ARROW_RETURN_NOT_OK(Compact());
    ARROW_ASSIGN_OR_RAISE(const int64_t keep_from_ns, KeepFrom(bounds));
    ARROW_ASSIGN_OR_RAISE(done.removed, RemoveBefore(keep_from_ns));
    if (done.removed > 0) ARROW_RETURN_NOT_OK(Compact());
    done.after = StatsOf(*db_, folder_);
    return done;
  }

  Status StartTrims(const JournalBounds& bounds) override {
    {
      const std::unique_lock<std::shared_mutex> lock(use_mutex_);
      if (used_ == nullptr) used_ = std::make_unique<UsedKeys>();
    }
    const std::lock_guard<std::mutex> lock(collect_mutex_);
    JournalStats stats = StatsOf(*db_, folder_);
    if (stats.bounds == bounds) return Status::OK();
    stats.bounds = bounds;
    return WriteLimits(stats);
  }

  Result<JournalCollection> Trim(const JournalBounds& bounds, const std::atomic<bool>& cut_short) override {
    const std::lock_guard<std::mutex> lock(collect_mutex_);
    JournalCollection done{.before = StatsOf(*db_, folder_)};
    JournalBounds sought = bounds;
    if (sought.bytes_max > 0 && done.before.bytes > sought.bytes_max) {
      ARROW_RETURN_NOT_OK(CompactUntil(cut_short));  // what is superseded must not cost what is in force
    }
    const bool too_large = sought.bytes_max > 0 && BytesBelow(folder_) > sought.bytes_max;
    sought.bytes_max = too_large ? std::max<int64_t>(1, sought.bytes_max - sought.bytes_max / 10) : 0;
    ARROW_ASSIGN_OR_RAISE(const int64_t keep_from_ns, KeepFrom(sought));
    if (keep_from_ns != INT64_MIN) {
      ARROW_ASSIGN_OR_RAISE(done.removed, RemoveUnused(std::min(keep_from_ns, opened_ns_), cut_short));
    }
    if (done.removed > 0) {
      JournalStats stats = StatsOf(*db_, folder_);
      stats.trimmed_ns = clock_.WallNs();
      stats.trimmed_entries = done.removed;
      ARROW_RETURN_NOT_OK(WriteLimits(stats));
      ARROW_RETURN_NOT_OK(CompactUntil(cut_short));
    }
    done.after = StatsOf(*db_, folder_);
    return done;
  }

 private:
  Status Write(rocksdb::WriteBatch* batch) {
    rocksdb::WriteOptions options;
    options.sync = true;
    DiePoint("journal.before_write");
    const rocksdb::Status written = db_->Write(options, batch);
    DiePoint("journal.written");
    return written.ok() ? Status::OK() : Failed(written, folder_, "written");
  }

  Status Compact() {
    rocksdb::Status status = db_->Flush(rocksdb::FlushOptions());
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    if (status.ok()) status = db_->CompactRange(options, nullptr, nullptr);
    return status.ok() ? Status::OK() : Failed(status, folder_, "compacted");
  }

  // Upper levels go into the lowest one, which drops what was removed, and gives its space back.
  Status CompactUntil(const std::atomic<bool>& cut_short) {
    rocksdb::Status status = db_->Flush(rocksdb::FlushOptions());
    rocksdb::CompactRangeOptions options;
    options.canceled = const_cast<std::atomic<bool>*>(&cut_short);  // it is only read
    if (status.ok() && !cut_short) status = db_->CompactRange(options, nullptr, nullptr);
    return status.ok() || cut_short ? Status::OK() : Failed(status, folder_, "compacted");
  }

  Status WriteLimits(const JournalStats& stats) {
    rocksdb::WriteOptions options;
    const rocksdb::Status written = db_->Put(options, kLimitsKey, LimitsText(stats));
    return written.ok() ? Status::OK() : Failed(written, folder_, "written");
  }

  // Calls visit(key, value, time of writing) for every reply.
  template <typename Visit>
  Status ForEach(Visit visit) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (!IsReply(it->key())) continue;
      ARROW_ASSIGN_OR_RAISE(const int64_t written_ns, WrittenNs(it->value(), folder_));
      ARROW_RETURN_NOT_OK(visit(it->key(), it->value(), written_ns));
    }
    return it->status().ok() ? Status::OK() : Failed(it->status(), folder_, "read");
  }

  // The time of writing below which entries are out of bounds.
  Result<int64_t> KeepFrom(const JournalBounds& bounds) {
    int64_t keep_from_ns = INT64_MIN;
    if (bounds.age_ns_max > 0) keep_from_ns = clock_.WallNs() - bounds.age_ns_max;
    if (bounds.bytes_max <= 0) return keep_from_ns;
    int64_t step_ns = kTimeStepNs;
    std::map<int64_t, int64_t> bytes_by_time;
    int64_t content = 0;
    ARROW_RETURN_NOT_OK(ForEach([&](const rocksdb::Slice& key, const rocksdb::Slice& value, int64_t written_ns) {
      const auto bytes = static_cast<int64_t>(key.size() + value.size());
      content += bytes;
      bytes_by_time[written_ns / step_ns * step_ns] += bytes;
      if (bytes_by_time.size() > kTimeStepsMax) {
        step_ns *= 2;
        std::map<int64_t, int64_t> coarser;
        for (const auto& [time, sum] : bytes_by_time) coarser[time / step_ns * step_ns] += sum;
        bytes_by_time = std::move(coarser);
      }
      return Status::OK();
    }));
    // Compressed as it lies on disk now; what is left after a collection compresses about as well.
    uint64_t on_disk = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &on_disk);
    const double ratio = content > 0 ? static_cast<double>(on_disk) / static_cast<double>(content) : 1;
    double kept = 0;
    for (auto it = bytes_by_time.rbegin(); it != bytes_by_time.rend(); ++it) {
      kept += static_cast<double>(it->second) * ratio;
      if (kept > static_cast<double>(bounds.bytes_max)) return std::max(keep_from_ns, it->first + step_ns);
    }
    return keep_from_ns;
  }

  Result<int64_t> RemoveBefore(int64_t keep_from_ns) {
    int64_t removed = 0;
    rocksdb::WriteBatch batch;
    ARROW_RETURN_NOT_OK(ForEach([&](const rocksdb::Slice& key, const rocksdb::Slice&, int64_t written_ns) -> Status {
      if (written_ns >= keep_from_ns) return Status::OK();
      batch.Delete(key);
      ++removed;
      if (static_cast<size_t>(batch.Count()) < kDeletesABatch) return Status::OK();
      ARROW_RETURN_NOT_OK(Write(&batch));
      batch.Clear();
      return Status::OK();
    }));
    if (batch.Count() > 0) ARROW_RETURN_NOT_OK(Write(&batch));
    return removed;
  }

  // Removes what was written before and is not in use. Whoever looks a key up waits while some are removed, so that no
  // reply is read and then gone; nothing here needs a sync: what comes back after a crash is removed again.
  Result<int64_t> RemoveUnused(int64_t before_ns, const std::atomic<bool>& cut_short) {
    int64_t removed = 0;
    std::vector<JournalKey> found;
    const auto remove = [&]() -> Status {
      const std::unique_lock<std::shared_mutex> lock(use_mutex_);
      rocksdb::WriteBatch batch;
      for (const JournalKey& key : found) {
        if (used_ == nullptr || !used_->Holds(key)) batch.Delete(ToSlice(key));
      }
      found.clear();
      removed += batch.Count();
      const rocksdb::Status written = db_->Write(rocksdb::WriteOptions(), &batch);
      return written.ok() ? Status::OK() : Failed(written, folder_, "written");
    };
    const Status status =
        ForEach([&](const rocksdb::Slice& key, const rocksdb::Slice&, int64_t written_ns) -> Status {
          if (cut_short) return CancelledError("");
          if (written_ns >= before_ns) return Status::OK();
          std::memcpy(found.emplace_back().data(), key.data(), key.size());
          return found.size() < kTrimmedAtOnce ? Status::OK() : remove();
        });
    if (!status.ok() && !cut_short) return status;
    ARROW_RETURN_NOT_OK(remove());
    return removed;
  }

  const std::string folder_;
  const std::unique_ptr<rocksdb::DB> db_;
  const Clock& clock_;
  const int64_t opened_ns_;
  std::mutex collect_mutex_;
  std::shared_mutex use_mutex_;       // shared: keys are used; exclusive: keys are removed
  std::unique_ptr<UsedKeys> used_;    // guarded by use_mutex_; null: nobody asked to trim
};

Status CheckFormat(rocksdb::DB& db, const std::string& folder) {
  std::string format;
  rocksdb::Status status = db.Get(rocksdb::ReadOptions(), kFormatKey, &format);
  if (status.IsNotFound()) {
    const std::unique_ptr<rocksdb::Iterator> it(db.NewIterator(rocksdb::ReadOptions()));
    it->SeekToFirst();
    if (it->Valid()) return JobError(fmt::format("{} holds a RocksDB store that is no journal", Escaped(folder)));
    rocksdb::WriteOptions options;
    options.sync = true;
    format = kFormat;
    status = db.Put(options, kFormatKey, format);
  }
  if (!status.ok()) return Failed(status, folder, "opened");
  if (format != kFormat) {
    return JobError(fmt::format("the journal in {} has format {}; this version of Mainstem reads format {}",
                                Escaped(folder), Escaped(format), kFormat));
  }
  return Status::OK();
}

// A folder that holds files but no store is somebody else's.
Status CheckFolder(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus current, LocalFileSystem().Stat(JoinPath(folder, "CURRENT")));
  if (current.kind == FileKind::kFile) return Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::vector<FolderEntry> entries, LocalFileSystem().List(folder));
  for (const FolderEntry& entry : entries) {
    // What a crash during the very first opening leaves.
    if (entry.name.starts_with("LOG") || entry.name == "LOCK" || entry.name == "IDENTITY") continue;
    if (entry.name.ends_with(".dbtmp") || entry.name == "MANIFEST-000001") continue;
    return JobError(fmt::format("{} is not empty and holds no journal (or one that lost its file CURRENT); give the "
                                "journal a folder of its own", Escaped(folder)));
  }
  return Status::OK();
}

Result<std::shared_ptr<Journal>> OpenStore(const std::string& folder, const Clock& clock) {
  ARROW_RETURN_NOT_OK(LocalFileSystem().MakeFolders(folder));
  ARROW_RETURN_NOT_OK(CheckFolder(folder));
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(StoreOptions(), folder, &opened);
  std::unique_ptr<rocksdb::DB> db(opened);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (status.IsIOError() && text.find("LOCK") != std::string::npos) {
      return JobError(fmt::format("the journal in {} is in use by another process. One job writes to a journal at a "
                                  "time: wait for it to end, or give this one another folder ({})",
                                  Escaped(folder), Escaped(text)));
    }
    return Failed(status, folder, "opened");
  }
  ARROW_RETURN_NOT_OK(CheckFormat(*db, folder));
  return std::make_shared<Store>(folder, std::move(db), clock);
}

// The store's lock belongs to the process, whichever engine or job asked for it, so the table of what is open does too.
struct OpenJournals {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Journal>> by_folder;  // guarded by mutex
};
OpenJournals& AllOpen() {
  static OpenJournals* const open = new OpenJournals;
  return *open;
}

}  // namespace

Result<std::shared_ptr<Journal>> Journal::Open(const std::string& folder, const Clock& clock) {
  if (folder.empty()) return JobError("a journal needs the path of a folder");
  std::error_code error;
  const std::string path = std::filesystem::weakly_canonical(std::filesystem::absolute(folder), error).string();
  if (error) return JobError(fmt::format("{} is no path for a journal: {}", Escaped(folder), error.message()));
  OpenJournals& open = AllOpen();
  const std::lock_guard<std::mutex> lock(open.mutex);
  std::erase_if(open.by_folder, [](const auto& entry) { return entry.second.expired(); });
  if (const auto found = open.by_folder.find(path); found != open.by_folder.end()) {
    if (auto journal = found->second.lock()) return journal;
  }
  ARROW_ASSIGN_OR_RAISE(auto journal, OpenStore(path, clock));
  open.by_folder[path] = journal;
  return journal;
}

Result<JournalStats> ReadJournalStats(const std::string& folder) {
  ARROW_ASSIGN_OR_RAISE(const FileStatus current, LocalFileSystem().Stat(JoinPath(folder, "CURRENT")));
  if (current.kind == FileKind::kMissing) return JobError(fmt::format("there is no journal in {}", Escaped(folder)));
  rocksdb::DB* opened = nullptr;
  rocksdb::Options options = StoreOptions();
  options.create_if_missing = false;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, folder, &opened);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (!status.ok()) return Failed(status, folder, "read");
  return StatsOf(*db, folder);
}

}  // namespace mainstem
