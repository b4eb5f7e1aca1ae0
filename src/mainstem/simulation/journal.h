// Simulated journal: finished replies in an append-only log on a simulated disk, in the place of the store over RocksDB.
#pragma once

#include <memory>

#include "mainstem/platform/file_system.h"
#include "mainstem/services/journal/journal.h"

namespace mainstem::simulation {

/// Opens the log, made where it is missing; a record that was cut at the end is not there. Keeps the real one's
/// promise: what was appended is durable.
Result<std::shared_ptr<Journal>> OpenLogJournal(FileSystem& files);

}  // namespace mainstem::simulation
