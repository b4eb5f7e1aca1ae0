#include "mainstem/simulation/process.h"

#include <algorithm>

namespace mainstem::simulation {

Process::Process(World& world, Oracle& oracle, Services& services, const JobShape& shape, const Planted& planted,
                 LifeSettings settings, std::shared_ptr<FlakyRows> flaky)
    : world_(world),
      oracle_(oracle),
      shape_(shape),
      planted_(planted),
      settings_(std::move(settings)),
      flaky_(std::move(flaky)),
      files_(world.disk.StartProcess()),
      background_([this] { AfterBackground(); }),
      door_(world, services, *files_, planted.journal) {}

Process::~Process() { files_->Kill(); }

Status Process::Start() {
  ARROW_ASSIGN_OR_RAISE(auto store, OpenLocalStore(kSinkFolder, *files_));
  ARROW_ASSIGN_OR_RAISE(auto sink, MakePartSink(std::move(store), WriteMode::kAppend, /*target_file_bytes=*/1 << 20,
                                                LinesFormat(), planted_.staging));
  runtime::JobSettings settings{.name = kJobName, .parallelism = settings_.parallelism, .memory_budget = 1 << 30};
  settings.checkpoint = settings_.checkpoint;
  settings.plants = planted_.runtime;
  settings.storage_plants = planted_.storage;
  runtime::JobEnvironment environment{.services = &door_, .clock = &world_.clock, .random = &world_.random, .files = files_.get()};
  environment.driver = runtime::JobDriver{.executor = &executor_, .background = &background_};
  auto graph = MakeGraph(world_, shape_, settings_.parallelism, std::move(sink), flaky_);
  ARROW_ASSIGN_OR_RAISE(job_, runtime::Job::Start(std::move(graph), std::move(settings), std::move(environment)));
  return Status::OK();
}

bool Process::Step() {
  if (job_->finished()) return false;
  if (world_.random.OneIn(4) && door_.Step()) return true;
  // The control thread has something to do now and then; the others whenever they can.
  const bool control = executor_.idle() && background_.idle();
  if (control || world_.random.OneIn(8)) {
    due_ns_ = job_->Step();
    return !executor_.idle() || !background_.idle() || job_->finished() || door_.Step();
  }
  const bool background = executor_.idle() || (!background_.idle() && world_.random.OneIn(3));
  if (background) {
    background_.RunOne();
  } else {
    executor_.RunOne(world_.random);
  }
  return true;
}

void Process::AfterBackground() {
  oracle_.Look();
  if (!is_alive() || replaced || job_ == nullptr || manifests_seen_ == oracle_.manifests_seen()) return;
  manifests_seen_ = oracle_.manifests_seen();
  oracle_.Acknowledge(FigureOf("\"last\":"));
}

int64_t Process::restored_from() const { return FigureOf("\"restored_from\":"); }

int64_t Process::FigureOf(const std::string& key) const {
  const std::string json = job_->FiguresJson();
  const size_t at = json.find(key);
  return at == std::string::npos ? 0 : std::stoll(json.substr(at + key.size()));
}

std::string Process::Describe() const {
  const std::string json = job_->FiguresJson();
  return fmt::format("{}; {} to run, {} in the background", json, executor_.idle() ? "nothing" : "something",
                     background_.idle() ? "nothing" : "something");
}

}  // namespace mainstem::simulation
