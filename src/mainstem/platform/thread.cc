#include "mainstem/platform/thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace mainstem {

Thread::Thread(const std::string& name, std::function<void()> run) {
  // A new thread inherits the mask; faults (SIGSEGV and the like) are always delivered to the thread at fault.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) ::sigdelset(&all, fault);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread(std::move(run));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
}

Thread::~Thread() { Join(); }

void Thread::Join() {
  if (thread_.joinable()) thread_.join();
}

void Thread::Detach() {
  if (thread_.joinable()) thread_.detach();
}

}  // namespace mainstem
