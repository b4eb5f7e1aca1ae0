// Checkpoint folder: what people look at, and ask for, beside running jobs.
#pragma once

#include <string>

#include "mainstem/base/error.h"

namespace mainstem::runtime {

/// The jobs of a folder and their checkpoints as JSON; with `verify` all files are read and checked.
Result<std::string> JobsJson(const std::string& folder, bool verify);
/// One checkpoint or savepoint (a path) as JSON: what it consists of and where its sources stand.
Result<std::string> CheckpointJson(const std::string& path);
/// Asks the process that runs a job to take a savepoint and to end. It does so within a moment.
Status AskToStop(const std::string& folder, const std::string& job);
/// The name, in a job's folder, of the file that asks.
constexpr char kStopRequest[] = "stop.request";

}  // namespace mainstem::runtime
