// Job options: what a front end asks of a job, as JSON.
#pragma once

#include <string>

#include "mainstem/runtime/job.h"

namespace mainstem::runtime {

/// Fills in what `job_json` says: {"name", "dead_letters": path, "journal": folder or {"folder", "max_bytes", "max_age"},
/// "watchdog": "60s", "checkpoint": {"folder", "every", "unaligned_after", "timeout", "minimum_pause", "tolerated_failures", "retained", "resume",
/// "from", "regions_may_fall_back", "restarts", "restart_delay"}}. Unknown names are errors.
Status ReadJobOptions(const std::string& job_json, JobSettings* settings);

}  // namespace mainstem::runtime
