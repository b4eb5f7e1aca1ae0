#include "mainstem/connectors/fetch/http_transfer.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "mainstem/connectors/fetch/address_policy.h"

namespace mainstem {
namespace {

// A declared length is believed only so far before the bytes are there.
constexpr int64_t kReserveBytesMax = 8 << 20;
constexpr int64_t kRetryAfterMaxNs = 30'000'000'000;

constexpr long kPartialContent = 206;

bool IsWorthAnotherTry(long status) { return status == 408 || status == 425 || status == 429 || status >= 500; }

bool BeginsWithLetters(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

}  // namespace

HttpTransfer::HttpTransfer(FileReference file, FetchDone done, const FetchPolicy& policy, ByteBudget& budget,
                           int64_t now_ns)
    : file_(std::move(file)),
      done_(std::move(done)),
      policy_(policy),
      budget_(budget),
      started_ns_(now_ns),
      progress_ns_(now_ns) {}

HttpTransfer::~HttpTransfer() { DropBody(); }

std::string HttpTransfer::Named() const { return fmt::format("'{}'", Escaped(file_.uri, 1000)); }

Status HttpTransfer::Check() const {
  if (file_.offset < 0 || file_.length < -1 || (file_.length > 0 && file_.offset > INT64_MAX - file_.length)) {
    return RowError(fmt::format("{}: bad range: offset {}, length {}", Named(), file_.offset, file_.length));
  }
  if (file_.length > policy_.max_file_bytes) {
    return RowError(fmt::format("{}: {} bytes are more than the limit of {}", Named(), file_.length,
                                policy_.max_file_bytes));
  }
  if (file_.uri.find('\0') != std::string::npos) return RowError(fmt::format("{} is not a url", Named()));
  return Status::OK();
}

Status HttpTransfer::Prepare(CURL* easy, int64_t now_ns) {
  easy_ = easy;
  ++attempts_;
  progress_ns_ = now_ns;
  retry_at_ns = -1;
  is_paused_ = false;
  is_too_large_ = false;
  refused_address_.clear();
  error_[0] = '\0';
  DropBody();
  const std::string range = file_.length >= 0 ? fmt::format("{}-{}", file_.offset, file_.offset + file_.length - 1)
                                              : fmt::format("{}-", file_.offset);
  CURLcode code = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value);
  };
  set(CURLOPT_URL, file_.uri.c_str());
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, error_);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, static_cast<long>(policy_.max_redirects));
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "mainstem/0.1");
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<int64_t>(1, policy_.connect_timeout_ns / 1'000'000)));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(policy_.max_file_bytes));
  set(CURLOPT_OPENSOCKETFUNCTION, &HttpTransfer::OnOpenSocket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_WRITEFUNCTION, &HttpTransfer::OnBody);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERFUNCTION, &HttpTransfer::OnHeader);
  set(CURLOPT_HEADERDATA, this);
  if (wants_part()) set(CURLOPT_RANGE, range.c_str());
  if (code == CURLE_OK) return Status::OK();
  return RowError(fmt::format("cannot fetch {}: {}", Named(), curl_easy_strerror(code)));
}

// Called with every address that curl is about to connect to, first urls and redirects alike.
curl_socket_t HttpTransfer::OnOpenSocket(void* self, curlsocktype, struct curl_sockaddr* address) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  if (!transfer.policy_.allow_private_addresses && IsPrivateAddress(address->addr)) {
    transfer.refused_address_ = AddressText(address->addr);
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t HttpTransfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::string_view line(data, size * count);
  transfer.progress_ns_ = transfer.now_ns;
  // A redirect's headers are not those of the file.
  if (line.starts_with("HTTP/")) transfer.entity_tag_.clear();
  if (BeginsWithLetters(line, "etag:")) transfer.entity_tag_ = std::string(Trimmed(line.substr(5)));
  return line.size();
}

size_t HttpTransfer::OnBody(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::string_view bytes(data, size * count);
  if (!transfer.is_first && !transfer.may_receive) {
    transfer.is_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  transfer.progress_ns_ = transfer.now_ns;
  const auto received = static_cast<int64_t>(transfer.body_.size() + bytes.size());
  if (received > transfer.policy_.max_file_bytes) {
    transfer.is_too_large_ = true;
    return 0;
  }
  // The body of an error page is nobody's.
  long status = 0;
  curl_easy_getinfo(transfer.easy_, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) return bytes.size();
  if (transfer.body_.empty()) {
    curl_off_t declared = 0;
    curl_easy_getinfo(transfer.easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &declared);
    transfer.body_.reserve(static_cast<size_t>(std::clamp<int64_t>(declared, 0, kReserveBytesMax)));
  }
  transfer.body_ += bytes;
  transfer.budget_.Add(static_cast<int64_t>(bytes.size()));
  transfer.held_bytes_ += static_cast<int64_t>(bytes.size());
  return bytes.size();
}

void HttpTransfer::Resume(int64_t now_ns) {
  is_paused_ = false;
  progress_ns_ = now_ns;
  curl_easy_pause(easy_, CURLPAUSE_CONT);
}

AttemptOutcome HttpTransfer::Stalled() const {
  return {.kind = AttemptOutcome::Kind::kRetry,
          .reason = RetryError(fmt::format("fetching {}: no byte came for {:.1f} s", Named(),
                                           static_cast<double>(policy_.stall_timeout_ns) / 1e9))};
}

AttemptOutcome HttpTransfer::Finish(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK) return Answered(status);
  const auto failed = [&](std::string message) {
    return AttemptOutcome{.kind = AttemptOutcome::Kind::kFailed, .reason = RowError(std::move(message))};
  };
  if (!refused_address_.empty() && (code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK)) {
    return failed(fmt::format("{} leads to the private address {}, which is refused; set allow_private_addresses=True "
                              "if that is meant",
                              Named(), refused_address_));
  }
  if (is_too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    return failed(fmt::format("{} is larger than the limit of {} bytes", Named(), policy_.max_file_bytes));
  }
  const std::string message = fmt::format("fetching {}: {}", Named(),
                                          error_[0] != '\0' ? Escaped(error_) : curl_easy_strerror(code));
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return {.kind = AttemptOutcome::Kind::kRetry, .reason = RetryError(message), .is_unreachable = true};
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
      return failed(message);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_SSL_CACERT_BADFILE:
      return {.kind = AttemptOutcome::Kind::kFailed, .reason = JobError(message)};
    case CURLE_OPERATION_TIMEDOUT:  // the only time limit that curl itself watches is that of connecting
      return {.kind = AttemptOutcome::Kind::kRetry, .reason = RetryError(message), .is_unreachable = true};
    default: return {.kind = AttemptOutcome::Kind::kRetry, .reason = RetryError(message)};
  }
}

AttemptOutcome HttpTransfer::Answered(long status) const {
  if (IsWorthAnotherTry(status)) {
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &seconds);
    AttemptOutcome outcome{.kind = AttemptOutcome::Kind::kRetry,
                           .reason = RetryError(fmt::format("fetching {}: the server answered {}", Named(), status))};
    if (seconds > 0) {
      outcome.retry_after_ns = std::min<int64_t>(seconds, kRetryAfterMaxNs / 1'000'000'000) * 1'000'000'000;
    }
    return outcome;
  }
  const auto failed = [&](std::string message) {
    return AttemptOutcome{.kind = AttemptOutcome::Kind::kFailed, .reason = RowError(std::move(message))};
  };
  if (status < 200 || status >= 300) return failed(fmt::format("fetching {}: the server answered {}", Named(), status));
  if (!file_.version.empty() && !entity_tag_.empty() && file_.version != entity_tag_) {
    return failed(fmt::format("{} has changed since it was listed (version {}, now {})", Named(),
                              Escaped(file_.version), Escaped(entity_tag_)));
  }
  const auto size = static_cast<int64_t>(body_.size());
  if (!wants_part()) return {};
  const int64_t expected = status == kPartialContent ? 0 : file_.offset;
  if (size < expected || (file_.length >= 0 && size - expected < file_.length) ||
      (status == kPartialContent && file_.length >= 0 && size != file_.length)) {
    return failed(fmt::format("{}: {} bytes came, which do not hold offset {} and length {}; has it changed?", Named(),
                              size, file_.offset, file_.length));
  }
  return {};
}

Result<Bytes> HttpTransfer::TakeBody() {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  const bool is_whole = wants_part() && status != kPartialContent;
  Bytes bytes = Bytes::Own(std::move(body_));
  body_.clear();
  if (!is_whole) return bytes;
  const size_t length = file_.length >= 0 ? static_cast<size_t>(file_.length) : bytes.size();
  return bytes.Slice(static_cast<size_t>(file_.offset), length);
}

void HttpTransfer::DropBody() {
  body_.clear();
  body_.shrink_to_fit();
  if (held_bytes_ > 0) budget_.Give(std::exchange(held_bytes_, 0));
}

void HttpTransfer::Answer(Result<Bytes> result) {
  if (FetchDone done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace mainstem
