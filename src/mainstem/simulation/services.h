// Services: simulated replicas, and the messages between them and the processes of a job, which get lost and doubled.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mainstem/services/endpoint.h"
#include "mainstem/services/journal/journaled_endpoint.h"
#include "mainstem/simulation/world.h"

namespace mainstem::simulation {

class RemoteService;

/// The replicas, which outlive all processes, and what is on its way to and from them.
class Services {
 public:
  explicit Services(World& world) : world_(world) {}

  /// Delivers a message whose time has come. False where there is none.
  bool Step();
  /// When the next message arrives; kNever where none is on its way.
  int64_t due_ns() const;
  void Request(std::shared_ptr<RemoteService> from, int64_t call, const std::vector<int64_t>& ids);
  /// The data flow of a living process was given the answers to these rows.
  void Used(const std::vector<int64_t>& ids);

  int64_t calls = 0;
  int64_t messages_lost = 0;
  int64_t messages_doubled = 0;

 private:
  enum class Kind { kRequest, kReply, kRefusal, kDeath };
  struct Message {
    Kind kind = Kind::kRequest;
    std::shared_ptr<RemoteService> way;
    int64_t call = 0;
    std::vector<int64_t> ids;
  };

  void Send(Message message, int64_t delay_ns);
  void Arrive(Message message);
  void Answer(const Message& request);

  World& world_;
  std::map<std::pair<int64_t, int64_t>, Message> messages_;  // by time of arrival and number
  int64_t sent_ = 0;
  std::map<int64_t, int64_t> used_;                          // id → step in which its answer was first used
};

/// Starts the way of one process to the replicas, behind a journal on its disk.
class ServiceDoor : public ServiceStarter {
 public:
  ServiceDoor(World& world, Services& services, SimulatedProcess& process, JournalPlants plants)
      : world_(world), services_(services), process_(process), plants_(plants) {}
  ~ServiceDoor() override;

  Result<std::shared_ptr<Endpoint>> Start(const ServiceSpec& spec) override;
  /// Does one thing that the journal's threads would do. False where there is nothing.
  bool Step();

 private:
  World& world_;
  Services& services_;
  SimulatedProcess& process_;
  const JournalPlants plants_;
  std::shared_ptr<RemoteService> remote_;
  std::shared_ptr<SteppedEndpoint> journaled_;
};

}  // namespace mainstem::simulation
