// Journal folder: what people can do with a journal beside using it: look at its figures, and make it smaller.
#pragma once

#include <string>

#include "mainstem/base/error.h"

namespace mainstem::runtime {

/// {"folder", "entries", "bytes", "max_bytes", "max_age_s", "trimmed_at_s", "trimmed_entries"}; those that no run has set
/// are null. A job may be using the folder.
Result<std::string> JournalStatsJson(const std::string& folder);

/// Removes the oldest replies until the folder has at most `max_bytes` ("10GB"; empty: no bound) and those older than
/// `max_age` ("30d"; empty: no bound): {"folder", "removed", "entries", "bytes", "bytes_before"}. Refused while another
/// process uses the folder.
Result<std::string> CollectJournalJson(const std::string& folder, const std::string& max_bytes,
                                       const std::string& max_age);

}  // namespace mainstem::runtime
