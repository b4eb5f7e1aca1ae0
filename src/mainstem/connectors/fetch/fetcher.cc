#include "mainstem/connectors/fetcher.h"

#include <fmt/format.h>

#include "mainstem/connectors/fetch/byte_budget.h"
#include "mainstem/connectors/fetch/store_reads.h"

namespace mainstem {
namespace {

class StoresFetcher : public Fetcher {
 public:
  explicit StoresFetcher(const FetchPolicy& policy)
      : budget_(policy.max_bytes_in_flight), reads_(policy, budget_) {}
  ~StoresFetcher() override { StoresFetcher::Stop(); }

  void Fetch(FileReference file, std::function<void(Result<Bytes>)> done) override {
    reads_.Fetch(std::move(file), std::move(done));
  }

  void Stop() override {
    budget_.Close();
    reads_.Stop();
  }

 private:
  ByteBudget budget_;
  StoreReads reads_;
};

}  // namespace

std::unique_ptr<Fetcher> MakeFetcher(const FetchPolicy& policy) { return std::make_unique<StoresFetcher>(policy); }

}  // namespace mainstem
