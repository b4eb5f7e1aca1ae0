#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "mainstem/connectors/fetch/address_policy.h"
#include "mainstem/connectors/fetcher.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// A server that answers each request with what a function says, byte for byte.
class TestServer {
 public:
  /// Gets path and headers; returns raw bytes. An empty answer closes the connection.
  using Answer = std::function<std::string(const std::string& request)>;

  explicit TestServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 256), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }

  ~TestServer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    stopped_.notify_all();
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (auto& thread : connections_) thread.join();
    ::close(listener_);
  }

  std::string Url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  int port() const { return port_; }
  int connections() const { return connection_count_; }
  int requests() const { return request_count_; }

  /// For answers: waits until the server goes.
  void WaitForEnd() {
    std::unique_lock lock(mutex_);
    stopped_.wait(lock, [&] { return stopping_; });
  }

  static std::string Ok(const std::string& body, const std::string& headers = "") {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
  }

 private:
  void Accept() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return;
      ++connection_count_;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      connections_.emplace_back([this, fd] { Serve(fd); });
      if (stopping_) ::shutdown(fd, SHUT_RDWR);
    }
  }

  void Serve(int fd) {
    std::string input;
    char buffer[4096];
    for (;;) {
      const size_t end = input.find("\r\n\r\n");
      if (end == std::string::npos) {
        const ssize_t count = ::recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0) break;
        input.append(buffer, static_cast<size_t>(count));
        continue;
      }
      const std::string request = input.substr(0, end + 2);
      input.erase(0, end + 4);
      ++request_count_;
      const std::string answer = answer_(request);
      if (answer.empty()) break;
      size_t sent = 0;
      while (sent < answer.size()) {
        const ssize_t count = ::send(fd, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<size_t>(count);
      }
      if (sent < answer.size() || answer.find("Connection: close") != std::string::npos) break;
    }
    const std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    ::close(fd);
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::vector<int> open_;
  std::list<std::thread> connections_;
  std::thread acceptor_;
  std::atomic<int> connection_count_{0};
  std::atomic<int> request_count_{0};
};

FetchPolicy Local() { return {.allow_private_addresses = true}; }

Result<std::string> FetchOne(Fetcher& fetcher, FileReference file) {
  std::promise<Result<Bytes>> promise;
  fetcher.Fetch(std::move(file), [&](Result<Bytes> result) { promise.set_value(std::move(result)); });
  ARROW_ASSIGN_OR_RAISE(const Bytes bytes, promise.get_future().get());
  return std::string(bytes.view());
}

Result<std::string> FetchOne(const FetchPolicy& policy, FileReference file) {
  return FetchOne(*MakeFetcher(policy), std::move(file));
}

std::string PathOf(const std::string& request) { return request.substr(4, request.find(' ', 4) - 4); }

TEST(Http, BodyArrives) {
  TestServer server([](const std::string&) { return TestServer::Ok("hello"); });
  EXPECT_EQ(FetchOne(Local(), {.uri = server.Url("/a")}).ValueOrDie(), "hello");
}

TEST(Http, ConnectionsAreUsedAgain) {
  TestServer server([](const std::string&) { return TestServer::Ok("x"); });
  auto fetcher = MakeFetcher(Local());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(FetchOne(*fetcher, {.uri = server.Url("/")}).ok());
  EXPECT_EQ(server.connections(), 1);
}

TEST(Http, MissingFileIsARowErrorAndIsNotTriedAgain) {
  TestServer server([](const std::string&) {
    return std::string("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!");
  });
  const Status status = FetchOne(Local(), {.uri = server.Url("/gone")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("404"));
  EXPECT_THAT(status.message(), HasSubstr("/gone"));
  EXPECT_EQ(server.requests(), 1);
}

TEST(Http, BusyServerIsAskedAgain) {
  std::atomic<int> count{0};
  TestServer server([&](const std::string&) {
    if (++count <= 2) return std::string("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    return TestServer::Ok("at last");
  });
  EXPECT_EQ(FetchOne(Local(), {.uri = server.Url("/")}).ValueOrDie(), "at last");
  EXPECT_EQ(server.requests(), 3);
}

TEST(Http, AttemptsAreBounded) {
  TestServer server([&](const std::string&) { return std::string("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"); });
  FetchPolicy policy = Local();
  policy.max_attempts = 2;
  const Status status = FetchOne(policy, {.uri = server.Url("/")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("2 attempts"));
  EXPECT_EQ(server.requests(), 2);
}

TEST(Http, RetryAfterIsWaitedForUnlessItExceedsTheTotalTime) {
  TestServer server([&](const std::string&) {
    return std::string("HTTP/1.1 429 Slow down\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n");
  });
  FetchPolicy policy = Local();
  policy.total_timeout_ns = 5'000'000'000;
  EXPECT_THAT(FetchOne(policy, {.uri = server.Url("/")}).status().message(), HasSubstr("429"));
  EXPECT_EQ(server.requests(), 1);
}

TEST(Http, ShortBodyIsAskedForAgain) {
  std::atomic<int> count{0};
  TestServer server([&](const std::string&) {
    if (++count == 1) return std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort");
    return TestServer::Ok("whole");
  });
  EXPECT_EQ(FetchOne(Local(), {.uri = server.Url("/")}).ValueOrDie(), "whole");
}

TEST(Http, DeclaredSizeBeyondTheLimitEndsAtOnce) {
  TestServer server([&](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\nConnection: close\r\n\r\nx");
  });
  const Status status = FetchOne(Local(), {.uri = server.Url("/")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("larger than the limit"));
}

TEST(Http, BodyWithoutDeclaredSizeIsCutOffAtTheLimit) {
  TestServer server([&](const std::string&) {
    return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(1 << 20, 'x');
  });
  FetchPolicy policy = Local();
  policy.max_file_bytes = 100'000;
  const Status status = FetchOne(policy, {.uri = server.Url("/")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("larger than the limit"));
}

TEST(Http, StalledServerIsARowErrorAfterTheAttempts) {
  TestServer* self = nullptr;
  TestServer server([&](const std::string&) {
    self->WaitForEnd();
    return std::string();
  });
  self = &server;
  FetchPolicy policy = Local();
  policy.stall_timeout_ns = 100'000'000;
  policy.max_attempts = 2;
  const Status status = FetchOne(policy, {.uri = server.Url("/slow")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("no byte came"));
}

TEST(Http, TotalTimeIsBounded) {
  TestServer* self = nullptr;
  TestServer server([&](const std::string&) {
    self->WaitForEnd();
    return std::string();
  });
  self = &server;
  FetchPolicy policy = Local();
  policy.total_timeout_ns = 100'000'000;
  const Status status = FetchOne(policy, {.uri = server.Url("/slow")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("took longer"));
}

TEST(Http, PrivateAddressesAreRefusedUnlessAllowed) {
  TestServer server([&](const std::string&) { return TestServer::Ok("secret"); });
  for (const std::string& host : {std::string("127.0.0.1"), std::string("localhost"), std::string("[::ffff:127.0.0.1]"),
                                  std::string("2130706433"), std::string("0x7f.1")}) {
    const Status status =
        FetchOne(FetchPolicy{}, {.uri = "http://" + host + ":" + std::to_string(server.port()) + "/"}).status();
    EXPECT_EQ(ClassOf(status), ErrorClass::kRow) << host;
    EXPECT_THAT(status.message(), HasSubstr("private address")) << host;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(Http, RedirectsAreFollowedWithinTheLimit) {
  TestServer server([&](const std::string& request) {
    if (PathOf(request) == "/end") return TestServer::Ok("arrived");
    const std::string to = PathOf(request) == "/loop" ? "/loop" : "/end";
    return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 5\r\n\r\nmoved";
  });
  EXPECT_EQ(FetchOne(Local(), {.uri = server.Url("/start")}).ValueOrDie(), "arrived");
  const Status status = FetchOne(Local(), {.uri = server.Url("/loop")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_THAT(status.message(), HasSubstr("edirect"));
}

TEST(Http, RedirectsToOtherProtocolsAreRefused) {
  TestServer server([&](const std::string&) {
    return std::string("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
  });
  const Status status = FetchOne(Local(), {.uri = server.Url("/")}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
}

TEST(Http, PartsAreAskedForAndTakenFromWholeAnswers) {
  const std::string body = "0123456789";
  TestServer server([&](const std::string& request) {
    if (PathOf(request) == "/whole") return TestServer::Ok(body);
    EXPECT_THAT(request, HasSubstr("Range: bytes=3-6"));
    return std::string("HTTP/1.1 206 Partial\r\nContent-Length: 4\r\nContent-Range: bytes 3-6/10\r\n\r\n3456");
  });
  EXPECT_EQ(FetchOne(Local(), {.uri = server.Url("/part"), .offset = 3, .length = 4}).ValueOrDie(), "3456");
  EXPECT_EQ(FetchOne(Local(), {.uri = server.Url("/whole"), .offset = 3, .length = 4}).ValueOrDie(), "3456");
  EXPECT_EQ(ClassOf(FetchOne(Local(), {.uri = server.Url("/whole"), .offset = 8, .length = 4}).status()),
            ErrorClass::kRow);
  EXPECT_EQ(FetchOne(Local(), {.uri = server.Url("/whole"), .offset = 0, .length = 0}).ValueOrDie(), "");
}

TEST(Http, ChangedVersionIsARowError) {
  TestServer server([&](const std::string&) { return TestServer::Ok("x", "ETag: \"new\"\r\n"); });
  EXPECT_TRUE(FetchOne(Local(), {.uri = server.Url("/"), .version = "\"new\""}).ok());
  EXPECT_THAT(FetchOne(Local(), {.uri = server.Url("/"), .version = "\"old\""}).status().message(),
              HasSubstr("has changed"));
}

// Fetches 200 files from one server, which holds its first answers back until `expected` requests are open at once.
void ExpectOpenAtOnce(const FetchPolicy& policy, int expected) {
  std::mutex mutex;
  std::condition_variable changed;
  int open = 0, most = 0, served = 0;
  TestServer server([&](const std::string&) {
    std::unique_lock lock(mutex);
    most = std::max(most, ++open);
    changed.notify_all();
    // Fewer at once would never end (but for the deadline).
    if (served < expected) changed.wait_for(lock, std::chrono::seconds(20), [&] { return most >= expected; });
    --open;
    ++served;
    return TestServer::Ok("x");
  });
  auto fetcher = MakeFetcher(policy);
  std::vector<std::promise<bool>> promises(200);
  for (auto& promise : promises) {
    fetcher->Fetch({.uri = server.Url("/")}, [&](Result<Bytes> result) { promise.set_value(result.ok()); });
  }
  for (auto& promise : promises) EXPECT_TRUE(promise.get_future().get());
  EXPECT_EQ(most, expected);
  EXPECT_LE(server.connections(), expected);
}

TEST(Http, ManyRequestsAreOpenAtOnceAndNoMoreThanAllowed) {
  FetchPolicy policy = Local();
  policy.max_in_flight_per_host = policy.max_in_flight;
  ExpectOpenAtOnce(policy, 64);
}

TEST(Http, OneHostGetsNoMoreConnectionsThanItsShare) {
  ExpectOpenAtOnce(Local(), 32);
  FetchPolicy policy = Local();
  policy.max_in_flight_per_host = 3;
  ExpectOpenAtOnce(policy, 3);
}

TEST(Http, RequestsForOtherHostsOvertakeThoseThatWaitForABusyOne) {
  TestServer* self = nullptr;
  TestServer busy([&](const std::string&) {
    self->WaitForEnd();
    return std::string();
  });
  self = &busy;
  TestServer idle([](const std::string&) { return TestServer::Ok("x"); });
  FetchPolicy policy = Local();
  policy.max_in_flight_per_host = 2;
  auto fetcher = MakeFetcher(policy);
  std::vector<std::promise<Status>> promises(50);
  for (auto& promise : promises) {
    fetcher->Fetch({.uri = busy.Url("/")}, [&](Result<Bytes> result) { promise.set_value(result.status()); });
  }
  EXPECT_EQ(FetchOne(*fetcher, {.uri = idle.Url("/")}).ValueOrDie(), "x");
  fetcher->Stop();
  for (auto& promise : promises) EXPECT_EQ(ClassOf(promise.get_future().get()), ErrorClass::kCancelled);
}

TEST(Http, RefusedReferencesMakeRoomForThoseBehindThem) {
  TestServer server([](const std::string&) { return TestServer::Ok("x"); });
  FetchPolicy policy = Local();
  policy.max_in_flight_per_host = 1;
  auto fetcher = MakeFetcher(policy);
  std::vector<std::promise<ErrorClass>> promises(20);
  for (auto& promise : promises) {
    fetcher->Fetch({.uri = server.Url("/"), .offset = -1}, [&](Result<Bytes> result) {
      promise.set_value(ClassOf(result.status()));
    });
  }
  EXPECT_EQ(FetchOne(*fetcher, {.uri = server.Url("/")}).ValueOrDie(), "x");
  for (auto& promise : promises) EXPECT_EQ(promise.get_future().get(), ErrorClass::kRow);
}

TEST(Http, BudgetSmallerThanEachFileStillLetsAllPass) {
  TestServer server([&](const std::string&) { return TestServer::Ok(std::string(300'000, 'x')); });
  FetchPolicy policy = Local();
  policy.max_bytes_in_flight = 100'000;
  auto fetcher = MakeFetcher(policy);
  std::vector<std::promise<size_t>> promises(30);
  for (auto& promise : promises) {
    fetcher->Fetch({.uri = server.Url("/")},
                   [&](Result<Bytes> result) { promise.set_value(result.ok() ? result->size() : 0); });
  }
  for (auto& promise : promises) EXPECT_EQ(promise.get_future().get(), 300'000u);
}

TEST(Http, StopAnswersEverythingAsCancelled) {
  TestServer* self = nullptr;
  TestServer server([&](const std::string&) {
    self->WaitForEnd();
    return std::string();
  });
  self = &server;
  auto fetcher = MakeFetcher(Local());
  std::vector<std::promise<Status>> promises(100);
  for (auto& promise : promises) {
    fetcher->Fetch({.uri = server.Url("/")}, [&](Result<Bytes> result) { promise.set_value(result.status()); });
  }
  fetcher->Stop();
  fetcher->Stop();
  for (auto& promise : promises) EXPECT_EQ(ClassOf(promise.get_future().get()), ErrorClass::kCancelled);
  EXPECT_EQ(ClassOf(FetchOne(*fetcher, {.uri = server.Url("/")}).status()), ErrorClass::kCancelled);
}

TEST(Http, UnreachableStoreIsAJobErrorWhereNothingWasEverReached) {
  int port = 0;
  {
    TestServer server([](const std::string&) { return std::string(); });
    port = server.port();
  }
  FetchPolicy policy = Local();
  policy.max_attempts = 2;
  const Status status = FetchOne(policy, {.uri = "http://127.0.0.1:" + std::to_string(port) + "/"}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kJob);
}

TEST(Http, BadUrlsAreRowErrors) {
  for (const char* url : {"http://", "http://[::1", "http://a b/"}) {
    EXPECT_EQ(ClassOf(FetchOne(Local(), {.uri = url}).status()), ErrorClass::kRow) << url;
  }
}

class LocalFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-fetch-XXXXXX";
    root_ = ::mkdtemp(name);
    path_ = (root_ / "file.bin").string();
    std::ofstream(path_) << "0123456789";
  }
  void TearDown() override { fs::remove_all(root_); }
  fs::path root_;
  std::string path_;
};

TEST_F(LocalFiles, WholeFilesAndPartsAreRead) {
  auto fetcher = MakeFetcher({});
  EXPECT_EQ(FetchOne(*fetcher, {.uri = path_}).ValueOrDie(), "0123456789");
  EXPECT_EQ(FetchOne(*fetcher, {.uri = "file://" + path_}).ValueOrDie(), "0123456789");
  EXPECT_EQ(FetchOne(*fetcher, {.uri = path_, .offset = 3, .length = 4}).ValueOrDie(), "3456");
  EXPECT_EQ(FetchOne(*fetcher, {.uri = path_, .offset = 10}).ValueOrDie(), "");
}

TEST_F(LocalFiles, WhatCannotBeReadIsARowErrorThatNamesTheFile) {
  auto fetcher = MakeFetcher({.max_file_bytes = 9});
  const auto message = [&](FileReference file) {
    const Status status = FetchOne(*fetcher, std::move(file)).status();
    EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
    return status.message();
  };
  EXPECT_THAT(message({.uri = path_ + "x"}), HasSubstr(path_ + "x': No such file"));
  EXPECT_THAT(message({.uri = root_.string()}), HasSubstr("directory"));
  EXPECT_THAT(message({.uri = "/dev/zero"}), HasSubstr("not a regular file"));
  EXPECT_THAT(message({.uri = path_}), HasSubstr("limit"));
  EXPECT_THAT(message({.uri = path_, .offset = 8, .length = 4}), HasSubstr("too few"));
  EXPECT_THAT(message({.uri = path_, .offset = -1, .length = 4}), HasSubstr("bad range"));
  EXPECT_THAT(message({.uri = path_, .offset = 1, .length = INT64_MAX}), HasSubstr("too few"));
  EXPECT_THAT(message({.uri = path_, .length = 2, .version = "10-1"}), HasSubstr("has changed"));
}

TEST_F(LocalFiles, InlineBytesNeedNoFile) {
  EXPECT_EQ(FetchOne(FetchPolicy{}, {.uri = "nowhere", .data = Bytes::Own("here")}).ValueOrDie(), "here");
}

TEST_F(LocalFiles, ManyReadsAllEnd) {
  auto fetcher = MakeFetcher({.max_bytes_in_flight = 15});
  std::vector<std::promise<size_t>> promises(500);
  for (auto& promise : promises) {
    fetcher->Fetch({.uri = path_}, [&](Result<Bytes> result) { promise.set_value(result.ok() ? result->size() : 0); });
  }
  for (auto& promise : promises) EXPECT_EQ(promise.get_future().get(), 10u);
}

TEST(AddressPolicy, RangesOfTheRegistriesAreKnown) {
  const auto is_private = [](const char* text) {
    sockaddr_storage storage{};
    auto* in = reinterpret_cast<sockaddr_in*>(&storage);
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (::inet_pton(AF_INET, text, &in->sin_addr) == 1) {
      storage.ss_family = AF_INET;
    } else {
      EXPECT_EQ(::inet_pton(AF_INET6, text, &in6->sin6_addr), 1) << text;
      storage.ss_family = AF_INET6;
    }
    return IsPrivateAddress(reinterpret_cast<const sockaddr&>(storage));
  };
  for (const char* text :
       {"0.0.0.0", "10.1.2.3", "100.64.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "fe80::1",
        "fc00::1", "fd12::1", "ff02::1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "2001::1"}) {
    EXPECT_TRUE(is_private(text)) << text;
  }
  for (const char* text : {"8.8.8.8", "1.1.1.1", "172.32.0.1", "172.15.0.1", "100.128.0.1", "192.167.1.1",
                           "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::", "2a00:1450::1"}) {
    EXPECT_FALSE(is_private(text)) << text;
  }
}

}  // namespace
}  // namespace mainstem
