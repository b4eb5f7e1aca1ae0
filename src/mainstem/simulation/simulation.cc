#include "mainstem/simulation/simulation.h"

#include <algorithm>
#include <memory>

#include "mainstem/simulation/oracle.h"
#include "mainstem/simulation/process.h"

namespace mainstem::simulation {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kFaultyStepsMax = 4'000;
constexpr int64_t kHealedStepsMax = 10'000;

constexpr std::pair<std::string_view, int64_t Figures::*> kFigures[] = {
    {"steps", &Figures::steps},
    {"lives", &Figures::lives},
    {"kills", &Figures::kills},
    {"power losses", &Figures::power_losses},
    {"disk faults", &Figures::disk_faults},
    {"takeovers", &Figures::takeovers},
    {"failures of operators", &Figures::failures},
    {"checkpoints", &Figures::checkpoints},
    {"savepoints", &Figures::savepoints},
    {"rescalings", &Figures::rescalings},
    {"calls", &Figures::calls},
    {"messages lost", &Figures::messages_lost},
    {"messages doubled", &Figures::messages_doubled},
};

class Simulation {
 public:
  Simulation(uint64_t seed, Topology topology, const Planted& planted, bool keeps_log)
      : world_(seed, keeps_log), planted_(planted), shape_(DrawShape(world_, topology)), oracle_(world_, shape_),
        services_(world_) {}

  Outcome Run() {
    Draw();
    while (!world_.violation() && !over_) Step();
    if (!world_.violation()) oracle_.LookAtTheEnd();
    figures_.steps = world_.step;
    figures_.calls = services_.calls;
    figures_.messages_lost = services_.messages_lost;
    figures_.messages_doubled = services_.messages_doubled;
    figures_.checkpoints = static_cast<int64_t>(oracle_.manifests_seen());
    old_.reset();
    current_.reset();
    return {world_.violation(), figures_, world_.TakeLog()};
  }

 private:
  SeededRandom& random() { return world_.random; }

  // What stays the same in all lives.
  void Draw() {
    faults_left_ = random().Between(1, 8);
    next_fault_ = random().Between(1, 150);
    checkpoint_.folder = kCheckpointFolder;
    checkpoint_.retained = static_cast<int>(random().Between(1, 3));
    checkpoint_.restart_delay_ns = kMs;
    auto& coordinator = checkpoint_.coordinator;
    coordinator.interval_ns = random().Between(1, 6) * kMs / 4;
    coordinator.timeout_ns = 50 * kMs;
    coordinator.tolerated_failures = 1000;
    coordinator.regions_may_fall_back = random().OneIn(2);
    coordinator.fallen_back_most = 0.5;
    world_.Note("a job of {}: {} splits of {} rows, {}; checkpoints every {} us, {} kept, regions may {}fall back",
                ToString(shape_.topology), shape_.sources[0].splits, shape_.sources[0].rows,
                shape_.sources[0].unbounded ? "without an end" : "with an end", coordinator.interval_ns / 1000,
                checkpoint_.retained, coordinator.regions_may_fall_back ? "" : "not ");
  }

  LifeSettings DrawLife() {
    LifeSettings life{.parallelism = static_cast<int>(random().Between(1, 4)), .checkpoint = checkpoint_};
    constexpr int64_t kUnalignedAfter[] = {checkpoint::kNever, 0, kMs / 4};
    life.checkpoint.coordinator.unaligned_after_ns = kUnalignedAfter[random().Below(3)];
    return life;
  }

  void Step() {
    ++world_.step;
    if (!world_.healed && (faults_left_ == 0 || world_.step > kFaultyStepsMax)) Heal();
    if (world_.healed && world_.step > healed_step_ + kHealedStepsMax) return Stuck();
    if (trouble_ends_ != 0 && world_.step >= trouble_ends_) EndTrouble();
    if (!current_) return StartLife();
    if (!world_.healed && world_.step >= next_fault_) Fault();
    if (!current_) return;
    if (rescaling_) Rescale();
    // A savepoint that failed has to be asked for again.
    const bool may_stop = world_.healed && shape_.sources[0].unbounded && oracle_.all_visible();
    if (may_stop && (!current_->stops || random().OneIn(500))) AskToStop();
    if (random().OneIn(3) && services_.Step()) return LookAfterBoth();
    const bool old_moves = old_ && random().OneIn(2);
    Process& process = old_moves ? *old_ : *current_;
    const bool did = process.Step();
    if (!did && !old_moves) {
      // Nothing to do but wait; some of the time it is not waited to the end.
      const int64_t due = std::min(process.due_ns(), services_.due_ns());
      const int64_t wait = std::max<int64_t>(1'000, due - world_.clock.MonotonicNs());
      world_.clock.Advance(random().OneIn(4) ? random().Between(1'000, wait) : wait);
    } else {
      world_.clock.Advance(random().Below(20'000));
    }
    LookAfter(old_moves ? old_ : current_);
  }

  void LookAfterBoth() {
    if (old_) LookAfter(old_);
    if (current_) LookAfter(current_);
  }

  // Buries a process that has died, takes note of one that has ended.
  void LookAfter(std::unique_ptr<Process>& process) {
    if (!process->is_alive()) {
      world_.Note("{} died in the middle of an operation", process == old_ ? "the old process" : "the process");
      const bool power_loss = process == current_ && power_loss_follows_;
      power_loss_follows_ = false;
      process.reset();
      Died(power_loss);
      return;
    }
    if (!process->job().finished()) return;
    const auto ended = process->job().WaitEnd(0);
    if (process == old_) {
      world_.Note("the old process has ended: {}", ended.status().ToString());
      process.reset();
      return;
    }
    Ended(ended.status());
  }

  void Ended(const Status& status) {
    world_.Note("the job has ended: {}", status.ToString());
    const bool excused = current_->troubled || ClassOf(status) == ErrorClass::kRetry;
    if (!status.ok() && !excused) return world_.Violate(promise::kFails, status.message());
    const bool stopped = current_->stops;
    current_.reset();
    if (!status.ok()) return oracle_.Look();
    // A job that was told to stop may have been done already; its next life says so.
    if (!stopped || (shape_.sources[0].unbounded && oracle_.all_visible() && world_.healed)) over_ = true;
  }

  void StartLife() {
    ++figures_.lives;
    oracle_.Look();
    const bool troubled = world_.disk_troubled;
    auto process = std::make_unique<Process>(world_, oracle_, services_, shape_, planted_, DrawLife(), flaky_);
    process->troubled = troubled;
    // The first things that a process does are worth dying in as well.
    if (!world_.healed && random().OneIn(6)) KillSoon(*process);
    const Status started = process->Start();
    if (!started.ok()) {
      world_.Note("the job cannot be started: {}", started.message());
      const bool died = !process->is_alive();
      process.reset();
      if (died) return Died(std::exchange(power_loss_follows_, false));
      if (!troubled) world_.Violate(promise::kStarts, started.message());
      world_.clock.Advance(kMs);
      return oracle_.Look();
    }
    current_ = std::move(process);
    oracle_.TakenOver();
    world_.Note("life {} begins from checkpoint {}", figures_.lives, current_->restored_from());
    oracle_.Restored(current_->restored_from());
    oracle_.Look();
    if (!current_->is_alive() || current_->job().finished()) LookAfter(current_);
  }

  void Died(bool power_loss) {
    ++figures_.kills;
    if (power_loss) LosePower();
    oracle_.Look();
    oracle_.LookAtCheckpoints();
  }

  void LosePower() {
    ++figures_.power_losses;
    world_.Note("the power is lost");
    old_.reset();
    current_.reset();
    world_.disk.Crash(world_.random);
    oracle_.LookAgain();
  }

  void KillSoon(Process& process) {
    const int64_t count = random().Between(1, 30);
    power_loss_follows_ = random().OneIn(2);
    world_.Note("the process will die in its {}th change of the disk{}", count,
                power_loss_follows_ ? ", and the power is lost" : "");
    process.files().KillAt(count);
  }

  void Fault() {
    --faults_left_;
    next_fault_ = world_.step + random().Between(1, 150);
    switch (random().Below(10)) {
      case 0: {
        world_.Note("the process is killed");
        current_.reset();
        return Died(false);
      }
      case 1: {
        current_.reset();
        return Died(true);
      }
      case 2:
      case 3: return KillSoon(*current_);
      case 4:
      case 5: return TroubleDisk();
      case 6: return TakeOver();
      case 7: return WantRescaling();
      case 8: return AskToStop();
      case 9: {
        flaky_->failures_left = random().Between(1, 3);
        figures_.failures += flaky_->failures_left;
        world_.Note("operators will fail {} times", flaky_->failures_left);
        return;
      }
    }
  }

  void TroubleDisk() {
    ++figures_.disk_faults;
    world_.disk_troubled = true;
    current_->troubled = true;
    if (old_) old_->troubled = true;
    trouble_ends_ = world_.step + random().Between(1, 60);
    const int64_t kind = random().Below(6);
    if (kind == 0) {
      world_.disk.SetReadOnly(true);
      world_.Note("the disk only reads for a while");
    } else if (kind == 1) {
      const int64_t room = random().Below(200);
      world_.disk.SetCapacity(world_.disk.used_bytes() + room);
      world_.Note("the disk has room for {} bytes for a while", room);
    } else {
      constexpr FileOperation kOperations[] = {FileOperation::kCreate, FileOperation::kWrite,  FileOperation::kSync,
                                               FileOperation::kRename, FileOperation::kRemove, FileOperation::kSyncFolder};
      const FileOperation operation = kOperations[random().Below(6)];
      const int64_t count = random().Between(1, 3);
      world_.disk.FailNext(operation, count);
      world_.Note("the next {} operations of kind {} fail", count, static_cast<int>(operation));
    }
  }

  void EndTrouble() {
    trouble_ends_ = 0;
    world_.disk_troubled = false;
    world_.disk.StopFailing();
    world_.disk.SetReadOnly(false);
    world_.disk.SetCapacity(std::nullopt);
    world_.Note("the disk works");
  }

  // The process is taken for dead, its lock is lost, and it wakes up beside the next one.
  void TakeOver() {
    // The lock of the journal's store is not simulated.
    if (shape_.topology == Topology::kCalls) return;
    ++figures_.takeovers;
    world_.Note("the process loses its lock; another one takes over while it lives");
    current_->replaced = true;
    old_ = std::move(current_);
    world_.disk.BreakLocks();
  }

  void WantRescaling() {
    const bool keyed = shape_.topology == Topology::kKeyed || shape_.topology == Topology::kSpread;
    if (!keyed && shape_.topology != Topology::kRescaling) return;
    rescaling_ = {.task = shape_.topology == Topology::kKeyed ? static_cast<int>(random().Below(2)) : 0,
                  .lanes = static_cast<int>(random().Between(1, 5))};
    Rescale();
  }

  void Rescale() {
    const Status status = current_->job().Rescale(rescaling_->task, rescaling_->lanes);
    if (ClassOf(status) == ErrorClass::kRetry) return;  // between two checkpoints it can be done
    figures_.rescalings += status.ok() ? 1 : 0;
    world_.Note("task {} rescaled to {} lanes: {}", rescaling_->task, rescaling_->lanes, status.ToString());
    rescaling_.reset();
  }

  void AskToStop() {
    ++figures_.savepoints;
    world_.Note("a savepoint and the end are asked for");
    const auto asked = current_->job().Savepoint(/*stop=*/true, 0);
    current_->stops |= asked.ok();
  }

  void Heal() {
    world_.healed = true;
    healed_step_ = world_.step;
    world_.Note("from here on nothing fails");
    flaky_->failures_left = 0;
    old_.reset();
    EndTrouble();
    if (current_ && random().OneIn(2)) current_.reset();
    if (current_) current_->files().KillAt(0);
    power_loss_follows_ = false;
  }

  void Stuck() {
    // Without an end: a row that was lost is one that never becomes visible.
    if (current_ && shape_.sources[0].unbounded && !oracle_.all_visible()) {
      return world_.Violate(promise::kOnce, fmt::format("{}; not after {} steps without faults: {}", oracle_.Missing(),
                                                        kHealedStepsMax, current_->Describe()));
    }
    world_.Violate(promise::kFinishes, fmt::format("not after {} steps without faults: {}", kHealedStepsMax,
                                                   current_ ? current_->Describe() : "no process runs"));
  }

  World world_;
  const Planted planted_;
  const JobShape shape_;
  Oracle oracle_;
  Services services_;
  Figures figures_;
  runtime::CheckpointOptions checkpoint_;
  std::shared_ptr<FlakyRows> flaky_ = std::make_shared<FlakyRows>();
  struct Rescaling {
    int task = 0;
    int lanes = 0;
  };
  std::optional<Rescaling> rescaling_;  // asked for and not done yet
  int64_t faults_left_ = 0;
  int64_t next_fault_ = 0;
  int64_t trouble_ends_ = 0;
  int64_t healed_step_ = 0;
  bool power_loss_follows_ = false;
  bool over_ = false;
  std::unique_ptr<Process> old_;      // lives on though it was replaced
  std::unique_ptr<Process> current_;
};

}  // namespace

void Add(Figures& sum, const Figures& more) {
  for (const auto& [name, figure] : kFigures) sum.*figure += more.*figure;
}

std::string ToString(const Figures& figures) {
  std::string text;
  for (const auto& [name, figure] : kFigures) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", figures.*figure, name);
  }
  return text;
}

Outcome Simulate(uint64_t seed, Topology topology, const Planted& planted, bool keeps_log) {
  return Simulation(seed, topology, planted, keeps_log).Run();
}

std::optional<FoundPlant> FindPlant(const Plant& plant, uint64_t from, uint64_t seeds) {
  Planted planted;
  plant.put(planted);
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const Outcome outcome = Simulate(seed, plant.topology, planted, /*keeps_log=*/false);
    if (outcome.violation) return FoundPlant{seed, *outcome.violation};
  }
  return {};
}

}  // namespace mainstem::simulation
