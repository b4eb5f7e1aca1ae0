#include "mainstem/simulation/journal.h"

#include <cstring>
#include <map>
#include <utility>

namespace mainstem::simulation {
namespace {

constexpr char kFolder[] = "/journal";
constexpr char kLog[] = "/journal/replies.log";
constexpr int64_t kLogBytesMax = 64 << 20;

// A record: length of the value and a checksum of what follows (8 bytes each, this machine's order), key, value.
uint64_t Checksum(std::string_view bytes) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a, 64 bits
  for (const unsigned char c : bytes) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

std::string Record(const JournalKey& key, const std::string& value) {
  const std::string content = std::string(key.begin(), key.end()) + value;
  const uint64_t head[] = {value.size(), Checksum(content)};
  return std::string(reinterpret_cast<const char*>(head), sizeof head) + content;
}

class LogJournal : public Journal {
 public:
  explicit LogJournal(FileSystem& files) : files_(files) {}

  Status Open() {
    ARROW_RETURN_NOT_OK(files_.MakeFolders(kFolder));
    ARROW_RETURN_NOT_OK(files_.SyncFolder("/"));
    ARROW_ASSIGN_OR_RAISE(const FileStatus status, files_.Stat(kLog));
    if (status.kind == FileKind::kFile) {
      ARROW_ASSIGN_OR_RAISE(const std::string bytes, files_.ReadAll(kLog, kLogBytesMax));
      ReadRecords(bytes);
    }
    return Rewrite();
  }

  const std::string& folder() const override { return folder_; }

  Result<std::vector<std::optional<std::string>>> Lookup(const std::vector<JournalKey>& keys) override {
    std::vector<std::optional<std::string>> values;
    for (const JournalKey& key : keys) {
      const auto found = values_.find(key);
      values.push_back(found == values_.end() ? std::nullopt : std::optional(found->second));
    }
    return values;
  }

  Status Append(const std::vector<JournalEntry>& entries) override {
    if (entries.empty()) return Status::OK();
    // After a sync that failed the file cannot be trusted any more.
    if (log_ == nullptr) ARROW_RETURN_NOT_OK(Rewrite());
    std::string records;
    for (const JournalEntry& entry : entries) records += Record(entry.key, entry.value);
    Status status = log_->Write(records);
    if (status.ok()) status = log_->Sync();
    if (!status.ok()) {
      log_.reset();
      return status;
    }
    for (const JournalEntry& entry : entries) values_[entry.key] = entry.value;
    return Status::OK();
  }

  Result<JournalStats> Stats() override { return JournalStats{.entries = static_cast<int64_t>(values_.size())}; }
  Result<JournalCollection> Collect(const JournalBounds&) override { return JobError("not simulated"); }
  Status StartTrims(const JournalBounds&) override { return JobError("not simulated"); }
  Result<JournalCollection> Trim(const JournalBounds&, const std::atomic<bool>&) override {
    return JobError("not simulated");
  }

 private:
  void ReadRecords(std::string_view bytes) {
    uint64_t head[2];
    JournalKey key;
    while (bytes.size() >= sizeof head + key.size()) {
      std::memcpy(head, bytes.data(), sizeof head);
      if (head[0] > bytes.size() - sizeof head - key.size()) return;
      const std::string_view content = bytes.substr(sizeof head, key.size() + head[0]);
      if (Checksum(content) != head[1]) return;
      std::memcpy(key.data(), content.data(), key.size());
      values_[key] = content.substr(key.size());
      bytes.remove_prefix(sizeof head + content.size());
    }
  }

  Status Rewrite() {
    std::string bytes;
    for (const auto& [key, value] : values_) bytes += Record(key, value);
    ARROW_RETURN_NOT_OK(files_.WriteDurably(kLog, bytes));
    return files_.Append(kLog).Value(&log_);
  }

  FileSystem& files_;
  const std::string folder_ = kFolder;
  std::map<JournalKey, std::string> values_;  // that are durable
  std::unique_ptr<WritableFile> log_;         // null: to be written anew
};

}  // namespace

Result<std::shared_ptr<Journal>> OpenLogJournal(FileSystem& files) {
  auto journal = std::make_shared<LogJournal>(files);
  ARROW_RETURN_NOT_OK(journal->Open());
  return journal;
}

}  // namespace mainstem::simulation
