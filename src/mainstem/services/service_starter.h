// The starter of services: turns a ServiceSpec into a pool of child processes of this machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mainstem/platform/clock.h"
#include "mainstem/services/child_output.h"
#include "mainstem/services/endpoint.h"
#include "mainstem/services/replica.h"

namespace mainstem {

/// Where the programs of replicas are, and what they share.
struct ServiceStarterOptions {
  std::string python = "python3";  ///< the interpreter; it needs pyarrow and cloudpickle
  std::string python_host;         ///< the path of mainstem/host.py
  std::string native_host;         ///< the path of the program that runs built-in models
  std::vector<std::string> environment;  ///< NAME=value for every replica, before those of the service
  OutputSink output = PrintOutput;       ///< what user code prints; called from the services' threads
  int64_t start_timeout_ns = 600'000'000'000;    ///< for loading code or a model
  int64_t arena_bytes_max = int64_t{1} << 30;    ///< the largest batch or reply that crosses at once
  Processes* processes = &SystemProcesses();
  Sockets* sockets = &SystemSockets();
  SharedMemory* memory = &SystemSharedMemory();
  const Clock* clock = &SystemClock();
};

std::unique_ptr<ServiceStarter> MakeServiceStarter(ServiceStarterOptions options);

}  // namespace mainstem
