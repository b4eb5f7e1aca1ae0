// The log: structured lines on standard error, one logger for the process.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace mainstem {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Writes one line. Thread-safe. Outside bytes must be escaped by the caller.
void LogLine(LogLevel level, std::string_view room, std::string_view message);

/// Sets the lowest level that is written: debug, info, warning (the default) or error.
void SetLogLevel(LogLevel level);

template <typename... Args>
void Log(LogLevel level, std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
  LogLine(level, room, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace mainstem
