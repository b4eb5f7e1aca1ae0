#include "mainstem/connectors/fetcher.h"

#include "mainstem/connectors/fetch/byte_budget.h"
#include "mainstem/connectors/fetch/http_client.h"
#include "mainstem/connectors/fetch/store_reads.h"

namespace mainstem {
namespace {

class FetcherOfAll : public Fetcher {
 public:
  explicit FetcherOfAll(const FetchPolicy& policy)
      : budget_(policy.max_bytes_in_flight), reads_(policy, budget_), http_(policy, budget_) {
    budget_.SetOnRoom([this] { http_.Wake(); });
  }
  ~FetcherOfAll() override { FetcherOfAll::Stop(); }

  void Fetch(FileReference file, std::function<void(Result<Bytes>)> done) override {
    const bool is_http = file.uri.starts_with("http://") || file.uri.starts_with("https://");
    if (is_http && !file.data && file.length != 0) {
      http_.Fetch(std::move(file), std::move(done));
    } else {
      reads_.Fetch(std::move(file), std::move(done));
    }
  }

  void Stop() override {
    budget_.Close();
    reads_.Stop();
    http_.Stop();
  }

 private:
  ByteBudget budget_;
  StoreReads reads_;
  HttpClient http_;
};

}  // namespace

std::unique_ptr<Fetcher> MakeFetcher(const FetchPolicy& policy) { return std::make_unique<FetcherOfAll>(policy); }

}  // namespace mainstem
