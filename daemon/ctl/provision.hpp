// `lockerctl provision`: what the portal's enrolment gave, written where lockerd looks for it.
#pragma once

#include <string>

namespace locker {

// The bundle (form "cloud-locker-provisioning/1") into `folder`: keys, the ring of issuer keys, the broker's account,
// and a configuration that `lockerctl commission` goes on with. Nothing is overwritten; `replace`: the cabinet
// has a new key, the files of keys/ that were there are kept as *.before, the configuration stays. The exit code;
// throws std::runtime_error with a sentence.
int provision(const std::string& bundle, const std::string& folder, bool replace);

}  // namespace locker
