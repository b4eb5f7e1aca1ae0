// What a replica prints: passed on line by line, its end kept for error messages.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace mainstem {

/// Receives one line, without its end, that a replica of the named service printed.
using OutputSink = std::function<void(std::string_view service, std::string_view line)>;

/// Writes "[service] line" to standard error.
void PrintOutput(std::string_view service, std::string_view line);

/// Reads one pipe of a replica.
class ChildOutput {
 public:
  ChildOutput(std::string service, OutputSink sink) : service_(std::move(service)), sink_(std::move(sink)) {}

  /// Reads what is there and passes on whole lines; returns false at the end of the pipe.
  bool Drain(int fd);
  /// Passes on a last line without an end.
  void Flush();
  /// The last few kilobytes, control bytes escaped, lines indented.
  std::string Tail() const;

 private:
  void Take(std::string_view bytes);

  std::string service_;
  OutputSink sink_;
  std::string line_;
  std::string tail_;
};

}  // namespace mainstem
