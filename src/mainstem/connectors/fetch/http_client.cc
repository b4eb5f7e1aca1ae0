#include "mainstem/connectors/fetch/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <list>
#include <map>
#include <utility>

#include "mainstem/connectors/fetch/http_transfer.h"
#include "mainstem/platform/clock.h"
#include "mainstem/platform/random.h"

namespace mainstem {
namespace {

constexpr int64_t kFirstBackoffNs = 200'000'000;
constexpr int64_t kBackoffMaxNs = 30'000'000'000;
constexpr int64_t kPollMaxNs = 1'000'000'000;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;

Status InitializeCurl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  return code == CURLE_OK ? Status::OK() : JobError(fmt::format("cannot start libcurl: {}", curl_easy_strerror(code)));
}

// Half of the time is left to chance, so that requests that failed together do not come back together.
int64_t BackoffNs(int attempts) {
  const int64_t full = std::min(kBackoffMaxNs, kFirstBackoffNs << std::min(attempts - 1, 20));
  return full / 2 + static_cast<int64_t>(SystemRandom().Next() % static_cast<uint64_t>(full / 2));
}

// "http example.org 80 ", or nothing for what is no url: it fails when it is begun.
std::string HostOf(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "";
  std::string host;
  for (const CURLUPart part : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) host += text;
    curl_free(text);
    host += ' ';
  }
  for (char& c : host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return host;
}

}  // namespace

// What the client's thread works on.
class HttpClient::Loop {
 public:
  Loop(const FetchPolicy& policy, ByteBudget& budget) : policy_(policy), budget_(budget), multi_(curl_multi_init()) {
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(policy.max_in_flight));
  }

  ~Loop() {
    Cancel();
    curl_multi_cleanup(multi_);
  }

  void Wake() { curl_multi_wakeup(multi_); }

  /// How many more requests may be begun now.
  size_t room() const {
    const auto open = transfers_.size();
    const auto most = static_cast<size_t>(std::max(1, policy_.max_in_flight));
    if (open >= most || (open > 0 && !budget_.has_room())) return 0;
    return most - open;
  }

  bool has_room_at(const std::string& host) const {
    const auto open = open_at_.find(host);
    return open == open_at_.end() || open->second < std::max(1, policy_.max_in_flight_per_host);
  }

  void Reserve(const std::string& host) { ++open_at_[host]; }

  /// Starts a request for which there is room.
  void Begin(Request request) {
    const int64_t now_ns = SystemClock().MonotonicNs();
    FetchDone done = [this, host = std::move(request.host), done = std::move(request.done)](Result<Bytes> result) {
      const auto open = open_at_.find(host);
      if (--open->second == 0) open_at_.erase(open);
      answered_some_ = true;
      done(std::move(result));
    };
    auto transfer = std::make_unique<HttpTransfer>(std::move(request.file), std::move(done), policy_, budget_, now_ns);
    const Status good = transfer->Check();
    if (!good.ok()) {
      transfer->Answer(good);
      return;
    }
    transfers_.push_back(std::move(transfer));
    StartAttempt(std::prev(transfers_.end()), now_ns);
  }

  /// Lets curl work, ends what has ended, then waits until there is something to do. Says whether requests were
  /// answered since the last time, so that there is room for others.
  bool RunOnce() {
    int64_t now_ns = SystemClock().MonotonicNs();
    const bool may_receive = budget_.has_room();
    for (auto& transfer : transfers_) {
      transfer->now_ns = now_ns;
      transfer->may_receive = may_receive;
      transfer->is_first = &transfer == &transfers_.front();
      if (transfer->is_paused() && (may_receive || transfer->is_first)) transfer->Resume(now_ns);
    }
    int running = 0;
    curl_multi_perform(multi_, &running);
    const bool ended_some = EndFinished();
    now_ns = SystemClock().MonotonicNs();
    int64_t wait_ns = ended_some ? 0 : WatchTimes(now_ns);
    if (answered_some_) wait_ns = 0;
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>((wait_ns + 999'999) / 1'000'000), nullptr);
    return std::exchange(answered_some_, false);
  }

  void Cancel() {
    while (!transfers_.empty()) {
      auto transfer = std::move(transfers_.front());
      transfers_.pop_front();
      Detach(*transfer);
      transfer->Answer(CancelledError("the fetch was cancelled"));
    }
  }

 private:
  using Position = std::list<std::unique_ptr<HttpTransfer>>::iterator;

  void StartAttempt(Position position, int64_t now_ns) {
    HttpTransfer& transfer = **position;
    Easy easy;
    if (idle_.empty()) {
      easy.reset(curl_easy_init());
    } else {
      easy = std::move(idle_.back());
      idle_.pop_back();
      curl_easy_reset(easy.get());
    }
    Status status = easy ? transfer.Prepare(easy.get(), now_ns) : JobError("libcurl is out of memory");
    if (status.ok()) {
      const CURLMcode code = curl_multi_add_handle(multi_, easy.get());
      if (code != CURLM_OK) status = JobError(fmt::format("libcurl: {}", curl_multi_strerror(code)));
    }
    if (!status.ok()) {
      End(position, status);
      return;
    }
    busy_.push_back(std::move(easy));
  }

  // Takes the handle of the transfer's attempt back.
  void Detach(HttpTransfer& transfer) {
    const auto found = std::find_if(busy_.begin(), busy_.end(),
                                    [&](const Easy& easy) { return easy.get() == transfer.easy(); });
    if (found == busy_.end()) return;
    curl_multi_remove_handle(multi_, found->get());
    idle_.push_back(std::move(*found));
    busy_.erase(found);
  }

  void End(Position position, Result<Bytes> result) {
    auto transfer = std::move(*position);
    transfers_.erase(position);
    Detach(*transfer);
    transfer->Answer(std::move(result));
  }

  // Says whether an attempt has ended.
  bool EndFinished() {
    bool some = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* pointer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &pointer);
      const auto position = std::find_if(transfers_.begin(), transfers_.end(), [&](const auto& transfer) {
        return transfer.get() == reinterpret_cast<HttpTransfer*>(pointer);
      });
      if (position == transfers_.end()) continue;
      some = true;
      AttemptOutcome outcome = (*position)->Finish(message->data.result);
      has_reached_some_ |= !outcome.is_unreachable;
      if (outcome.kind == AttemptOutcome::Kind::kDone) {
        End(position, (*position)->TakeBody());
      } else if (outcome.kind == AttemptOutcome::Kind::kFailed) {
        End(position, outcome.reason);
      } else {
        TryAgain(position, outcome);
      }
    }
    return some;
  }

  void TryAgain(Position position, const AttemptOutcome& outcome) {
    HttpTransfer& transfer = **position;
    const int64_t now_ns = SystemClock().MonotonicNs();
    const int64_t wait_ns = std::max(BackoffNs(transfer.attempts()), outcome.retry_after_ns);
    if (transfer.attempts() >= policy_.max_attempts ||
        now_ns + wait_ns - transfer.started_ns() > policy_.total_timeout_ns) {
      const std::string message = fmt::format("{} ({} attempt{})", outcome.reason.message(), transfer.attempts(),
                                              transfer.attempts() == 1 ? "" : "s");
      // Where no server has ever been reached it is not this row's fault.
      End(position, outcome.is_unreachable && !has_reached_some_ ? JobError(message) : RowError(message));
      return;
    }
    Detach(transfer);
    transfer.DropBody();
    transfer.retry_at_ns = now_ns + wait_ns;
  }

  // Ends attempts whose time is up and begins those whose time has come; returns how long nothing else is due.
  int64_t WatchTimes(int64_t now_ns) {
    long curl_ms = -1;
    curl_multi_timeout(multi_, &curl_ms);
    int64_t wait_ns = curl_ms < 0 ? kPollMaxNs : std::min(kPollMaxNs, int64_t{curl_ms} * 1'000'000);
    for (auto position = transfers_.begin(); position != transfers_.end();) {
      const auto current = position++;
      HttpTransfer& transfer = **current;
      const int64_t total_ns = transfer.started_ns() + policy_.total_timeout_ns;
      if (now_ns >= total_ns) {
        End(current, RowError(fmt::format("fetching '{}' took longer than {:.1f} s", Escaped(transfer.url(), 1000),
                                          static_cast<double>(policy_.total_timeout_ns) / 1e9)));
        continue;
      }
      int64_t due_ns = total_ns;
      if (transfer.retry_at_ns >= 0) {
        if (now_ns >= transfer.retry_at_ns) {
          StartAttempt(current, now_ns);
          wait_ns = 0;
          continue;
        }
        due_ns = std::min(due_ns, transfer.retry_at_ns);
      } else if (!transfer.is_paused()) {
        const int64_t stall_ns = transfer.progress_ns() + policy_.stall_timeout_ns;
        if (now_ns >= stall_ns) {
          TryAgain(current, transfer.Stalled());
          wait_ns = 0;
          continue;
        }
        due_ns = std::min(due_ns, stall_ns);
      }
      wait_ns = std::min(wait_ns, due_ns - now_ns);
    }
    return wait_ns;
  }

  const FetchPolicy& policy_;
  ByteBudget& budget_;
  CURLM* multi_;
  std::list<std::unique_ptr<HttpTransfer>> transfers_;  // oldest first; those that wait for another attempt too
  std::vector<Easy> busy_;
  std::vector<Easy> idle_;
  std::map<std::string, int> open_at_;  // begun and not answered, by host
  bool answered_some_ = false;
  bool has_reached_some_ = false;
};

HttpClient::HttpClient(const FetchPolicy& policy, ByteBudget& budget) : policy_(policy), budget_(budget) {}

HttpClient::~HttpClient() { Stop(); }

void HttpClient::Fetch(FileReference file, FetchDone done) {
  Status status = InitializeCurl();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) status = CancelledError("the fetch was cancelled");
    if (status.ok()) {
      std::string host = HostOf(file.uri);
      waiting_.push_back({std::move(file), std::move(done), std::move(host)});
      has_news_ = true;
      if (loop_) {
        loop_->Wake();
      } else {
        loop_ = std::make_unique<Loop>(policy_, budget_);
        thread_ = std::make_unique<Thread>("fetch-http", [this] { Run(); });
      }
      return;
    }
  }
  done(status);
}

std::vector<HttpClient::Request> HttpClient::TakeReady() {
  std::vector<Request> ready;
  const size_t room = loop_->room();
  std::deque<Request> kept;
  while (ready.size() < room && !waiting_.empty()) {
    Request request = std::move(waiting_.front());
    waiting_.pop_front();
    if (loop_->has_room_at(request.host)) {
      loop_->Reserve(request.host);
      ready.push_back(std::move(request));
    } else {
      kept.push_back(std::move(request));
    }
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(kept.begin()), std::make_move_iterator(kept.end()));
  return ready;
}

void HttpClient::Run() {
  for (;;) {
    std::vector<Request> ready;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
      if (std::exchange(has_news_, false)) ready = TakeReady();
    }
    for (Request& request : ready) loop_->Begin(std::move(request));
    if (loop_->RunOnce()) {
      const std::lock_guard lock(mutex_);
      has_news_ = true;
    }
  }
  loop_->Cancel();
}

void HttpClient::Wake() {
  const std::lock_guard lock(mutex_);
  has_news_ = true;
  if (loop_) loop_->Wake();
}

void HttpClient::Stop() {
  std::deque<Request> cancelled;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    cancelled.swap(waiting_);
    if (loop_) loop_->Wake();
  }
  for (Request& request : cancelled) request.done(CancelledError("the fetch was cancelled"));
  if (thread_) thread_->Join();
  thread_.reset();
}

}  // namespace mainstem
