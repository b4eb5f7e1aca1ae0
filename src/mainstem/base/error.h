// Errors: arrow::Status with a class attached that says how far a failure reaches.
#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <string>
#include <string_view>

namespace mainstem {

using arrow::Result;
using arrow::Status;

/// How far a failure reaches, and so who has to deal with it.
enum class ErrorClass {
  kRetry,      ///< the same attempt may succeed later: a busy server, a dropped connection
  kRow,        ///< one row's data is at fault; the row's `on_error` policy decides
  kRegion,     ///< a pipelined region has to restart
  kJob,        ///< the job cannot succeed: a wrong option, a missing dependency, a full disk
  kCancelled,  ///< somebody asked to stop
};

std::string_view ToString(ErrorClass error_class);

/// Makes a status of the class. The message says what failed, on which input, and what to do.
Status RetryError(std::string message);
Status RowError(std::string message);
Status RegionError(std::string message);
Status JobError(std::string message);
Status CancelledError(std::string message);

/// Returns the class attached to a status that is not OK; kJob where none was attached.
ErrorClass ClassOf(const Status& status);

/// Returns the same status, class kept, with `context` before its message: "context: message".
Status WithContext(const Status& status, std::string_view context);

/// Renders outside bytes for a message: control and non-UTF-8 bytes escaped, cut after `max_bytes`.
std::string Escaped(std::string_view bytes, size_t max_bytes = 200);

}  // namespace mainstem
