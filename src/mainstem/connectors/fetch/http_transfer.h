// HTTP transfer: one fetch of a url: its attempts, what has come so far, how an attempt ended.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <string>

#include "mainstem/connectors/fetch/byte_budget.h"
#include "mainstem/connectors/fetch/store_reads.h"
#include "mainstem/connectors/fetcher.h"

namespace mainstem {

/// How an attempt ended.
struct AttemptOutcome {
  enum class Kind { kDone, kRetry, kFailed };
  Kind kind = Kind::kDone;
  Status reason;               ///< of kRetry and kFailed
  bool is_unreachable = false; ///< of kRetry: no connection was made
  int64_t retry_after_ns = -1; ///< what the server asked for, or -1
};

/// Used by the client's thread only.
class HttpTransfer {
 public:
  HttpTransfer(FileReference file, FetchDone done, const FetchPolicy& policy, ByteBudget& budget, int64_t now_ns);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;

  /// Says what is wrong with the reference before anything is sent, if something is.
  Status Check() const;
  /// Sets up `easy` for the next attempt; it must outlive the attempt.
  Status Prepare(CURL* easy, int64_t now_ns);
  /// Judges an attempt that curl has finished.
  AttemptOutcome Finish(CURLcode code);
  /// Judges an attempt that the client ends because nothing came for too long.
  AttemptOutcome Stalled() const;
  void Answer(Result<Bytes> result);
  /// What was received, as the reference wants it. Call once, after kDone.
  Result<Bytes> TakeBody();
  /// Forgets what an attempt has received.
  void DropBody();

  const std::string& url() const { return file_.uri; }
  CURL* easy() const { return easy_; }
  int attempts() const { return attempts_; }
  int64_t started_ns() const { return started_ns_; }
  int64_t progress_ns() const { return progress_ns_; }
  bool is_paused() const { return is_paused_; }
  void Resume(int64_t now_ns);

  bool may_receive = true;     ///< set by the client: whether more bytes are welcome now
  bool is_first = false;       ///< set by the client: the oldest may always receive
  int64_t retry_at_ns = -1;    ///< set by the client while it waits for its next attempt
  int64_t now_ns = 0;          ///< set by the client before it lets curl work

 private:
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, struct curl_sockaddr* address);

  bool wants_part() const { return file_.offset > 0 || file_.length >= 0; }
  AttemptOutcome Answered(long status) const;
  std::string Named() const;

  const FileReference file_;
  FetchDone done_;
  const FetchPolicy& policy_;
  ByteBudget& budget_;
  CURL* easy_ = nullptr;
  int attempts_ = 0;
  const int64_t started_ns_;
  int64_t progress_ns_;
  bool is_paused_ = false;

  std::string body_;
  int64_t held_bytes_ = 0;  // of the budget
  bool is_too_large_ = false;
  std::string entity_tag_;
  std::string refused_address_;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace mainstem
