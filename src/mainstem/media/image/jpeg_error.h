// JpegError: turns libjpeg's error exits into a jump back to the caller, with the message kept.
#pragma once

#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>  // needs FILE

namespace mainstem {

/// An error manager. The caller sets `jump` before every call into libjpeg; objects with destructors must not be made
/// between the two.
struct JpegError {
  jpeg_error_mgr manager;  // first: libjpeg hands back its address
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";

  jpeg_error_mgr* Attach() {
    jpeg_std_error(&manager);
    manager.error_exit = [](j_common_ptr info) {
      auto* self = reinterpret_cast<JpegError*>(info->err);
      if (self->message[0] == '\0') info->err->format_message(info, self->message);
      std::longjmp(self->jump, 1);
    };
    manager.output_message = [](j_common_ptr) {};
    return &manager;
  }
};

}  // namespace mainstem
