// Service start: the services of a job, with a journal before those that keep one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mainstem/services/endpoint.h"
#include "mainstem/services/journal/journal.h"

namespace mainstem::runtime {

/// Starts one endpoint a spec, in order. With a folder, models get a journal there, and user functions that ask for one.
/// Their replicas start with the first call where the journal holds replies already: it may answer all. While the
/// endpoints live, the journal is kept within the bounds.
Result<std::vector<std::shared_ptr<Endpoint>>> StartServices(const std::vector<ServiceSpec>& specs,
                                                             ServiceStarter& starter,
                                                             const std::string& journal_folder,
                                                             const JournalBounds& journal_bounds = {});

}  // namespace mainstem::runtime
