#include "mainstem/runtime/service_start.h"

#include "mainstem/services/journal/bounded_journal.h"
#include "mainstem/services/journal/journaled_endpoint.h"

namespace mainstem::runtime {

Result<std::vector<std::shared_ptr<Endpoint>>> StartServices(const std::vector<ServiceSpec>& specs,
                                                             ServiceStarter& starter,
                                                             const std::string& journal_folder,
                                                             const JournalBounds& journal_bounds) {
  std::shared_ptr<Journal> journal;
  std::vector<std::shared_ptr<Endpoint>> endpoints;
  for (ServiceSpec spec : specs) {
    const bool asks = spec.host == ServiceSpec::Host::kNative || !spec.journal_identity.empty();
    if (!asks || journal_folder.empty()) {
      ARROW_ASSIGN_OR_RAISE(auto endpoint, starter.Start(spec));
      endpoints.push_back(std::move(endpoint));
      continue;
    }
    if (journal == nullptr) {
      ARROW_ASSIGN_OR_RAISE(journal, Journal::Open(journal_folder));
      ARROW_ASSIGN_OR_RAISE(journal, KeptWithin(std::move(journal), journal_bounds));
    }
    ARROW_ASSIGN_OR_RAISE(const JournalStats stats, journal->Stats());
    if (stats.entries > 0) spec.min_replicas = 0;
    ARROW_ASSIGN_OR_RAISE(auto service, starter.Start(spec));
    ARROW_ASSIGN_OR_RAISE(auto endpoint, MakeJournaledEndpoint(spec, std::move(service), journal));
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

}  // namespace mainstem::runtime
