// JournaledEndpoint: a service whose finished replies are looked up before it is asked, and kept before they are used.
#pragma once

#include <memory>

#include "mainstem/services/endpoint.h"
#include "mainstem/services/journal/journal.h"

namespace mainstem {

/// Puts a journal before a service. Every row is a key (RowKeys): answered from the journal where it is there, joined to
/// an open call of this endpoint that asked the same, or sent on, in pieces of what a replica works on at once. A reply
/// is durable before `done` is called; a reply that cannot be written fails its calls. Rows that failed are not kept.
/// Submit touches no disk. What waits inside is bounded by the callers: SuggestedInFlight calls each.
Result<std::shared_ptr<Endpoint>> MakeJournaledEndpoint(const ServiceSpec& spec, std::shared_ptr<Endpoint> service,
                                                        std::shared_ptr<Journal> journal);

}  // namespace mainstem
