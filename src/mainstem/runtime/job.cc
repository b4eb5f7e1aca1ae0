#include "mainstem/runtime/job.h"

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "mainstem/base/log.h"
#include "mainstem/base/quantity.h"
#include "mainstem/runtime/service_start.h"

namespace mainstem::runtime {
namespace {

constexpr double kProduceShare = 0.5;   // sources stop above this share of the budget
constexpr int64_t kWatchTickNs = 250'000'000;

}  // namespace

Job::Job(plan::JobGraph graph, JobSettings settings, JobEnvironment environment)
    : graph_(std::move(graph)), settings_(std::move(settings)), environment_(std::move(environment)) {}

Result<std::shared_ptr<Job>> Job::Start(plan::JobGraph graph, JobSettings settings, JobEnvironment environment) {
  std::shared_ptr<Job> job(new Job(std::move(graph), std::move(settings), std::move(environment)));
  const Status status = job->Build();
  if (!status.ok()) {
    job->stop_ = true;
    const plan::TaskSpec& root = job->graph_.tasks.back();
    if (root.sink && !root.sink->Abort(job->attempt_).ok()) {
      Log(LogLevel::kWarning, "runtime", "staged files remain in {}", root.sink->Describe());
    }
    return status;
  }
  job->watchdog_ = std::thread([raw = job.get()] { raw->Watch(); });
  // Those nearest the sink first: they find nothing to do and wait, and no wake is lost.
  for (auto task = job->subtasks_.rbegin(); task != job->subtasks_.rend(); ++task) {
    for (const auto& subtask : *task) job->scheduler_->Wake(subtask.get());
  }
  return job;
}

Job::~Job() {
  Cancel();
  if (watchdog_.joinable()) {
    // The subtasks end one after the other and the last one removes what was staged.
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return finished_; });
    }
    watchdog_.join();
  }
  if (scheduler_) scheduler_->Stop();
  for (const auto& service : services_) service->Stop();
  if (fetcher_) fetcher_->Stop();
  subtasks_.clear();
  if (dead_letter_file_ != nullptr) std::fclose(dead_letter_file_);
}

Status Job::Build() {
  attempt_ = environment_.random->NextId();
  started_ns_ = environment_.clock->MonotonicNs();
  baseline_bytes_ = arrow::default_memory_pool()->bytes_allocated();
  if (!settings_.dead_letter_path.empty()) {
    dead_letter_file_ = std::fopen(settings_.dead_letter_path.c_str(), "ae");
    if (dead_letter_file_ == nullptr) {
      return JobError(fmt::format("the dead letter file {} cannot be opened", Escaped(settings_.dead_letter_path)));
    }
  }
  if (!graph_.services.empty()) {
    ARROW_ASSIGN_OR_RAISE(services_, StartServices(graph_.services, *environment_.services, settings_.journal_folder));
  }
  bool fetches = false;
  for (const plan::TaskSpec& task : graph_.tasks) {
    for (const plan::OperatorSpec& spec : task.operators) fetches |= spec.name == "fetch";
    if (task.sink) ARROW_RETURN_NOT_OK(task.sink->Begin({.id = attempt_}));
  }
  if (fetches) fetcher_ = environment_.make_fetcher();
  scheduler_ = std::make_unique<Scheduler>(settings_.parallelism, [this] { WakeForMemory(); });
  channels_.resize(graph_.tasks.size());
  subtasks_.resize(graph_.tasks.size());
  // Readers before writers: a channel wakes both, so both must exist; tasks are built from the root up.
  for (size_t i = graph_.tasks.size(); i-- > 0;) {
    running_ += graph_.tasks[i].parallelism;
  }
  for (size_t i = 0; i < graph_.tasks.size(); ++i) ARROW_RETURN_NOT_OK(BuildTask(i));
  return Status::OK();
}

Status Job::BuildTask(size_t index) {
  const plan::TaskSpec& task = graph_.tasks[index];
  // Who reads this task's output?
  size_t readers = 0;
  std::optional<size_t> reader;
  for (size_t i = index + 1; i < graph_.tasks.size(); ++i) {
    const auto& inputs = graph_.tasks[i].inputs;
    if (std::find(inputs.begin(), inputs.end(), index) != inputs.end()) reader = i;
  }
  if (!task.sink) readers = reader ? static_cast<size_t>(graph_.tasks[*reader].parallelism) : 1;
  const int64_t channel_bytes =
      std::clamp<int64_t>(settings_.memory_budget / (32 * std::max<int64_t>(1, task.parallelism)), 1 << 20, 64 << 20);

  std::shared_ptr<SplitQueue> splits;
  if (task.source) {
    ARROW_ASSIGN_OR_RAISE(auto enumerator, task.source->Enumerate(task.scan, ""));
    splits = std::make_shared<SplitQueue>(std::move(enumerator));
  }
  std::shared_ptr<arrow::Schema> scan_schema;
  if (task.source) {
    arrow::FieldVector fields = task.source->schema()->fields();
    if (!task.scan.all_columns) {
      fields.clear();
      for (const std::string& name : task.scan.columns) fields.push_back(task.source->schema()->GetFieldByName(name));
    }
    scan_schema = arrow::schema(std::move(fields));
  }
  channels_[index].resize(static_cast<size_t>(task.parallelism));
  for (int s = 0; s < task.parallelism; ++s) {
    const auto position = static_cast<size_t>(s);
    SubtaskParts parts{.depth = static_cast<int>(index), .host = this};
    const auto wake = [this, index, position] {
      if (position < subtasks_[index].size()) scheduler_->Wake(subtasks_[index][position].get());
    };
    ChainParts chain{.task = &task,
                     .services = services_,
                     .fetcher = fetcher_,
                     .target_batch_bytes = std::clamp<int64_t>(
                         settings_.memory_budget / (32 * settings_.parallelism), 256 << 10, 8 << 20),
                     .holding_limit_bytes = settings_.memory_budget,
                     .set_aside = [this](DeadLetter letter) { SetAside(std::move(letter)); },
                     .wake = wake,
                     .now_ns = [clock = environment_.clock] { return clock->MonotonicNs(); }};
    ARROW_ASSIGN_OR_RAISE(parts.chain, Chain::Make(std::move(chain)));
    parts.source = task.source;
    parts.scan = task.scan;
    parts.scan_schema = scan_schema;
    parts.splits = splits;
    parts.renumber = task.concatenates;
    for (const size_t upstream : task.inputs) {
      std::vector<std::shared_ptr<Channel>> channels;
      for (const auto& writer : channels_[upstream]) channels.push_back(writer[position]);
      parts.inputs.push_back(std::make_unique<OrderedMerge>(std::move(channels)));
    }
    for (size_t r = 0; r < readers; ++r) {
      const auto wake_reader = [this, reader, r] {
        if (!reader) {
          const std::lock_guard lock(mutex_);
          changed_.notify_all();
        } else if (r < subtasks_[*reader].size()) {
          scheduler_->Wake(subtasks_[*reader][r].get());
        }
      };
      auto channel = std::make_shared<Channel>(channel_bytes, wake, wake_reader);
      parts.outputs.push_back(channel);
      channels_[index][position].push_back(std::move(channel));
    }
    if (task.sink) {
      ARROW_ASSIGN_OR_RAISE(parts.writer, task.sink->OpenWriter(s, attempt_ + ".1"));
    }
    subtasks_[index].push_back(std::make_unique<Subtask>(std::move(parts)));
  }
  if (!reader && !task.sink) {
    std::vector<std::shared_ptr<Channel>> channels;
    for (const auto& writer : channels_[index]) channels.push_back(writer[0]);
    result_ = std::make_unique<OrderedMerge>(std::move(channels));
  }
  return Status::OK();
}

int64_t Job::AllocatedBytes() const {
  // What was there at the start may have been given back since.
  const int64_t bytes = std::max<int64_t>(0, arrow::default_memory_pool()->bytes_allocated() - baseline_bytes_);
  int64_t peak = peak_bytes_.load();
  while (bytes > peak && !peak_bytes_.compare_exchange_weak(peak, bytes)) {
  }
  return bytes;
}

bool Job::MayProduce() {
  const auto limit = static_cast<int64_t>(static_cast<double>(settings_.memory_budget) * kProduceShare);
  if (AllocatedBytes() < limit) return true;
  // Where nobody else can give memory back, one more batch is the only way on.
  if (!scheduler_->OnlyCallerRuns()) return false;
  return !AnswersOutstanding();
}

bool Job::AnswersOutstanding() const {
  for (const auto& task : subtasks_) {
    for (const auto& subtask : task) {
      // What has ended takes no answer any more.
      if (subtask->wait() != Wait::kEnded && subtask->chain().Outstanding() > 0) return true;
    }
  }
  return false;
}

// Nobody runs, so nobody will give memory back: whoever waits for it goes on, one at a time. While answers are
// outstanding their arrival ends in this place again.
void Job::WakeForMemory() {
  Runnable* waiter = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (memory_waiters_.empty() || AnswersOutstanding()) return;
    waiter = *memory_waiters_.begin();
    memory_waiters_.erase(memory_waiters_.begin());
  }
  scheduler_->Wake(waiter);
}

void Job::AwaitMemory(Runnable* subtask) {
  const std::lock_guard lock(mutex_);
  memory_waiters_.insert(subtask);
}

void Job::SourceRead(int64_t rows, int64_t bytes) {
  source_rows_ += rows;
  source_bytes_ += bytes;
}

void Job::Written(int64_t rows, int64_t bytes) {
  rows_out_ += rows;
  bytes_out_ += bytes;
}

void Job::SetAside(DeadLetter letter) {
  ++dead_letter_count_;
  const std::lock_guard lock(mutex_);
  if (dead_letter_file_ != nullptr) {
    const nlohmann::ordered_json line = {{"job", settings_.name},        {"function", letter.function},
                                         {"input", letter.input},        {"reason", letter.reason},
                                         {"row", letter.row}};
    const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (std::fwrite(text.data(), 1, text.size(), dead_letter_file_) != text.size() ||
        std::fflush(dead_letter_file_) != 0) {
      Log(LogLevel::kError, "runtime", "a dead letter could not be written to {}", Escaped(settings_.dead_letter_path));
    }
  }
  if (dead_letters_.size() < kDeadLettersKept) dead_letters_.push_back(std::move(letter));
}

void Job::Failed(const Status& status) {
  {
    const std::lock_guard lock(mutex_);
    if (status_.ok()) status_ = status;
  }
  stop_ = true;
  for (const auto& task : subtasks_) {
    for (const auto& subtask : task) scheduler_->Wake(subtask.get());
  }
}

void Job::Cancel() {
  {
    const std::lock_guard lock(mutex_);
    if (finished_ || !scheduler_) return;
    if (status_.ok()) status_ = CancelledError("the job was cancelled");
  }
  stop_ = true;
  for (const auto& task : subtasks_) {
    for (const auto& subtask : task) scheduler_->Wake(subtask.get());
  }
}

void Job::Ended(std::vector<Committable> committables) {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    for (Committable& committable : committables) committables_.push_back(std::move(committable));
    last = --running_ == 0;
  }
  if (last) Finish();
}

// All subtasks have ended: make the result visible, or remove what was staged.
void Job::Finish() {
  Status status;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
  }
  for (const auto& service : services_) service->Stop();
  const plan::TaskSpec& root = graph_.tasks.back();
  if (root.sink) {
    if (status.ok()) status = root.sink->MakeDurable(committables_);
    if (status.ok()) status = root.sink->Commit(committables_);
    if (status.ok()) status = root.sink->Finish(attempt_);
    if (!status.ok()) {
      const Status aborted = root.sink->Abort(attempt_);
      if (!aborted.ok()) Log(LogLevel::kWarning, "runtime", "staged files remain: {}", aborted.message());
    }
  }
  AllocatedBytes();
  {
    const std::lock_guard lock(mutex_);
    status_ = status;
    finished_ = true;
    ended_ns_ = environment_.clock->MonotonicNs();
  }
  changed_.notify_all();
}

bool Job::finished() const {
  const std::lock_guard lock(mutex_);
  return finished_ && (!result_ || result_->Drained() || !status_.ok());
}

Result<std::shared_ptr<arrow::RecordBatch>> Job::Next(int64_t timeout_ns) {
  if (!result_) return JobError("a job that writes has no rows to read");
  std::unique_lock lock(mutex_);
  const int64_t deadline = environment_.clock->MonotonicNs() + timeout_ns;
  while (true) {
    std::optional<Batch> batch = result_->Pop();
    if (batch) {
      if (batch->rows->num_rows() == 0) continue;
      rows_out_ += batch->rows->num_rows();
      bytes_out_ += BytesOf(*batch->rows);
      return batch->rows;
    }
    if (finished_) {
      if (!status_.ok()) return status_;
      if (result_->Drained()) return std::shared_ptr<arrow::RecordBatch>();
      continue;
    }
    const int64_t left = deadline - environment_.clock->MonotonicNs();
    if (left <= 0) return std::shared_ptr<arrow::RecordBatch>();
    changed_.wait_for(lock, std::chrono::nanoseconds(left));
  }
}

Result<bool> Job::WaitEnd(int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [this] { return finished_; });
  if (finished_ && !status_.ok()) return status_;
  return finished_;
}

// Wakes those who wait for memory, and says who waits for what when nothing moves.
void Job::Watch() {
  int64_t last_moved_ns = environment_.clock->MonotonicNs();
  int64_t last_sum = -1;
  bool warned = false;
  std::unique_lock lock(mutex_);
  while (!finished_) {
    changed_.wait_for(lock, std::chrono::nanoseconds(kWatchTickNs), [this] { return finished_; });
    if (finished_) return;
    const std::set<Runnable*> waiters = std::exchange(memory_waiters_, {});
    lock.unlock();
    for (Runnable* waiter : waiters) scheduler_->Wake(waiter);
    AllocatedBytes();
    int64_t sum = rows_out_ + source_rows_ + dead_letter_count_;
    for (const auto& task : subtasks_) {
      for (const auto& subtask : task) {
        for (const auto& figures : subtask->chain().figures()) sum += figures->rows_in + figures->rows_out;
      }
    }
    for (const auto& service : services_) sum += service->Stats().rows;
    const int64_t now = environment_.clock->MonotonicNs();
    if (sum != last_sum) {
      last_sum = sum;
      last_moved_ns = now;
      warned = false;
    } else if (now - last_moved_ns > settings_.watchdog_ns && !warned) {
      warned = true;
      Log(LogLevel::kWarning, "runtime", "nothing has moved for {}: {}", FormatDuration(now - last_moved_ns), Waiting());
    }
    lock.lock();
  }
}

std::string Job::Waiting() const {
  std::string text;
  for (size_t t = 0; t < subtasks_.size(); ++t) {
    for (size_t s = 0; s < subtasks_[t].size(); ++s) {
      const Wait wait = subtasks_[t][s]->wait();
      if (wait == Wait::kEnded) continue;
      text += fmt::format("{}task {} ({}) subtask {} waits for {}", text.empty() ? "" : "; ", t, graph_.tasks[t].name, s,
                          ToString(wait));
    }
  }
  return text;
}

// The operator that is busiest, or the service that most of the flow waits for.
std::string Job::Bottleneck() const {
  std::string name;
  double most = 0;
  const int64_t elapsed = environment_.clock->MonotonicNs() - started_ns_;
  for (size_t t = 0; t < subtasks_.size(); ++t) {
    for (size_t o = 0; o < graph_.tasks[t].operators.size(); ++o) {
      int64_t busy = 0;
      for (const auto& subtask : subtasks_[t]) busy += subtask->chain().figures()[o]->busy_ns;
      const double share = static_cast<double>(busy) / static_cast<double>(std::max<int64_t>(1, elapsed)) /
                           graph_.tasks[t].parallelism;
      if (share > most) {
        most = share;
        name = fmt::format("{} (computing {:.0f} % of the time)", graph_.tasks[t].operators[o].name, share * 100);
      }
    }
  }
  for (size_t i = 0; i < services_.size(); ++i) {
    const ServiceStats stats = services_[i]->Stats();
    const double share = static_cast<double>(stats.busy_ns) / static_cast<double>(std::max<int64_t>(1, elapsed)) /
                         static_cast<double>(std::max<int64_t>(1, graph_.services[i].max_replicas));
    if (share > most) {
      most = share;
      name = fmt::format("{} (its processes are busy {:.0f} % of the time)", graph_.services[i].name, share * 100);
    }
  }
  return name;
}

std::string Job::FiguresJson() const {
  using Json = nlohmann::ordered_json;
  Status status;
  bool finished = false;
  int64_t ended_ns = 0;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
    finished = finished_;
    ended_ns = ended_ns_;
  }
  const int64_t now = ended_ns != 0 ? ended_ns : environment_.clock->MonotonicNs();
  const int64_t allocated = AllocatedBytes();
  Json json = {{"name", settings_.name},
               {"state", !finished        ? "running"
                         : status.ok()    ? "finished"
                         : ClassOf(status) == ErrorClass::kCancelled ? "cancelled"
                                                                     : "failed"},
               {"seconds", static_cast<double>(now - started_ns_) / 1e9},
               {"source_rows", source_rows_.load()},
               {"source_bytes", source_bytes_.load()},
               {"rows", rows_out_.load()},
               {"bytes", bytes_out_.load()},
               {"dead_letters", dead_letter_count_.load()},
               {"memory_bytes", allocated},
               {"peak_memory_bytes", peak_bytes_.load()},
               {"memory_budget_bytes", settings_.memory_budget}};
  if (!status.ok()) json["error"] = status.message();
  json["bottleneck"] = Bottleneck();
  json["operators"] = Json::array();
  for (size_t t = 0; t < subtasks_.size(); ++t) {
    std::map<std::string, int> waits;
    for (const auto& subtask : subtasks_[t]) ++waits[std::string(ToString(subtask->wait()))];
    std::string waiting;
    for (const auto& [reason, count] : waits) {
      if (reason != "running" && reason != "ended") waiting += fmt::format("{}{} × {}", waiting.empty() ? "" : ", ", count, reason);
    }
    for (size_t o = 0; o < graph_.tasks[t].operators.size(); ++o) {
      int64_t rows_in = 0;
      int64_t rows_out = 0;
      int64_t busy = 0;
      int64_t open = 0;
      for (const auto& subtask : subtasks_[t]) {
        const OperatorFigures& figures = *subtask->chain().figures()[o];
        rows_in += figures.rows_in;
        rows_out += figures.rows_out;
        busy += figures.busy_ns;
        open += figures.calls_open;
      }
      json["operators"].push_back({{"task", t},
                                   {"name", graph_.tasks[t].operators[o].name},
                                   {"subtasks", graph_.tasks[t].parallelism},
                                   {"rows_in", rows_in},
                                   {"rows_out", rows_out},
                                   {"busy_s", static_cast<double>(busy) / 1e9},
                                   {"open", open},
                                   {"waiting", finished ? "" : waiting}});
    }
  }
  json["services"] = Json::array();
  int64_t journal_hits = 0;
  int64_t journal_writes = 0;
  for (size_t i = 0; i < services_.size(); ++i) {
    const ServiceStats stats = services_[i]->Stats();
    journal_hits += stats.journal_hits;
    journal_writes += stats.journal_writes;
    json["services"].push_back({{"name", graph_.services[i].name},
                                {"calls", stats.calls},
                                {"rows", stats.rows},
                                {"failures", stats.failures},
                                {"busy_s", static_cast<double>(stats.busy_ns) / 1e9},
                                {"replicas_started", stats.replicas_started},
                                {"replicas_lost", stats.replicas_lost},
                                {"journal_hits", stats.journal_hits},
                                {"journal_writes", stats.journal_writes}});
  }
  if (!settings_.journal_folder.empty()) {
    json["journal_hits"] = journal_hits;
    json["journal_writes"] = journal_writes;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<DeadLetter> Job::DeadLetters() const {
  const std::lock_guard lock(mutex_);
  return dead_letters_;
}

}  // namespace mainstem::runtime
