// JournaledEndpoint: a service whose finished replies are looked up before it is asked, and kept before they are used.
#pragma once

#include <memory>

#include "mainstem/services/endpoint.h"
#include "mainstem/services/journal/journal.h"

namespace mainstem {

/// Defects put in on purpose, for tests that show that such defects are found. Nothing else sets them.
struct JournalPlants {
  bool use_before_append = false;  ///< a reply is handed over, and kept when the next one comes
};

/// A journaled endpoint without threads, for a simulator: whoever drives it does what they would do, piece by piece.
class SteppedEndpoint : public Endpoint {
 public:
  /// Looks up and sends on what was submitted. False where there is nothing.
  virtual bool Ask() = 0;
  /// Keeps and hands over replies that have come. False where there are none.
  virtual bool Keep() = 0;
};

/// Puts a journal before a service. Every row is a key (RowKeys): answered from the journal where it is there, joined to
/// an open call of this endpoint that asked the same, or sent on, in pieces of what a replica works on at once. A reply
/// is durable before `done` is called; a reply that cannot be written fails its calls. Rows that failed are not kept.
/// Submit touches no disk. What waits inside is bounded by the callers: SuggestedInFlight calls each.
Result<std::shared_ptr<Endpoint>> MakeJournaledEndpoint(const ServiceSpec& spec, std::shared_ptr<Endpoint> service,
                                                        std::shared_ptr<Journal> journal);
Result<std::shared_ptr<SteppedEndpoint>> MakeSteppedJournaledEndpoint(const ServiceSpec& spec,
                                                                      std::shared_ptr<Endpoint> service,
                                                                      std::shared_ptr<Journal> journal,
                                                                      JournalPlants plants = {});

}  // namespace mainstem
