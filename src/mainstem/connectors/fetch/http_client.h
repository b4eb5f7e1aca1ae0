// HTTP client: many fetches of http(s) urls at once on one thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/connectors/fetch/byte_budget.h"
#include "mainstem/connectors/fetch/store_reads.h"
#include "mainstem/connectors/fetcher.h"
#include "mainstem/platform/thread.h"

namespace mainstem {

/// Fetches with libcurl. Thread-safe. Connections are kept and used again.
///
/// * Only http and https, also after redirects; credentials are not sent on to another host. No proxy is used,
///   whatever the environment says: a proxy would resolve names where the address policy cannot see it.
/// * The policy is checked on the very address that a connection is about to be made to.
/// * Connection failures, stalls, bodies that end early, 408, 425, 429 and 5xx are tried again after 0.2 s, 0.4 s, …
///   (or what Retry-After says, at most 30 s), half of it by chance. Other answers are row errors.
/// * At most `max_in_flight` requests are open, of them at most `max_in_flight_per_host` to urls of one host and port; a
///   request that waits for its next attempt counts. Requests for other hosts overtake those that wait for a busy one.
/// * While received bytes exceed the budget only the oldest request receives.
class HttpClient {
 public:
  HttpClient(const FetchPolicy& policy, ByteBudget& budget);
  ~HttpClient();

  void Fetch(FileReference file, FetchDone done);
  /// Says that the budget may have room again.
  void Wake();
  /// Answers everything with a cancelled status and ends the thread. Idempotent; not from within an answer.
  void Stop();

 private:
  class Loop;
  void Run();
  struct Request {
    FileReference file;
    FetchDone done;
    std::string host;
  };
  /// Takes what may be begun now, oldest first.
  std::vector<Request> TakeReady();

  const FetchPolicy policy_;
  ByteBudget& budget_;
  std::mutex mutex_;
  std::deque<Request> waiting_;
  bool has_news_ = false;  // room, or a request, that was not there when the queue was last looked through
  bool stopping_ = false;
  std::unique_ptr<Loop> loop_;  // made with the first request
  std::unique_ptr<Thread> thread_;
};

}  // namespace mainstem
