// live555 as a camera: the server that most cameras are built on. Built by deploy/live555.sh, run by the tests.
//
// live555_server h264|h265 FILE [user PASSWORD-OWNER...] ... see `usage`. FILE is Annex B; /live streams it once and
// says BYE at its end, /sound puts the audio of a WAV file first. Prints its port once it listens, on loopback alone.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "BasicUsageEnvironment.hh"
#include "GroupsockHelper.hh"
#include "liveMedia.hh"

namespace {
const char usage[] =
    "usage: live555_server h264|h265 FILE [--user NAME PASSWORD] [--tls PEM] [--wav FILE] [--timeout SECONDS]\n";

ServerMediaSubsession* video(UsageEnvironment& env, const std::string& codec, const char* file) {
  if (codec == "h265") return H265VideoFileServerMediaSubsession::createNew(env, file, False);
  return H264VideoFileServerMediaSubsession::createNew(env, file, False);
}
}  // namespace

int main(int count, char** words) {
  if (count < 3) return fputs(usage, stderr), 2;
  const std::string codec = words[1];
  const char *file = words[2], *wav = nullptr, *pem = nullptr;
  unsigned timeout_s = 65;
  TaskScheduler* scheduler = BasicTaskScheduler::createNew();
  UsageEnvironment* env = BasicUsageEnvironment::createNew(*scheduler);
  UserAuthenticationDatabase* users = nullptr;
  for (int at = 3; at < count; ++at) {
    const std::string word = words[at];
    if (word == "--user" && at + 2 < count) {
      users = users ? users : new UserAuthenticationDatabase();
      users->addUserRecord(words[at + 1], words[at + 2]);
      at += 2;
    } else if (word == "--tls" && at + 1 < count) {
      pem = words[++at];
    } else if (word == "--wav" && at + 1 < count) {
      wav = words[++at];
    } else if (word == "--timeout" && at + 1 < count) {
      timeout_s = static_cast<unsigned>(atoi(words[++at]));
    } else {
      return fputs(usage, stderr), 2;
    }
  }
  ReceivingInterfaceAddr = htonl(INADDR_LOOPBACK);
  ReceivingInterfaceAddr6 = in6addr_loopback;
  OutPacketBuffer::maxSize = 1 << 20;
  RTSPServer* server = RTSPServer::createNew(*env, Port(0), users, timeout_s);
  if (server == nullptr) return fprintf(stderr, "%s\n", env->getResultMsg()), 1;
  if (pem != nullptr) server->setTLSState(pem, pem, False, False);
  ServerMediaSession* live = ServerMediaSession::createNew(*env, "live", "live", "a camera");
  if (wav != nullptr) live->addSubsession(WAVAudioFileServerMediaSubsession::createNew(*env, wav, False, True));
  live->addSubsession(video(*env, codec, file));
  server->addServerMediaSession(live);
  const std::string prefix = server->rtspURLPrefix();
  const size_t colon = prefix.rfind(':', prefix.size() - 2);
  printf("%d\n", atoi(prefix.c_str() + colon + 1));
  fflush(stdout);
  scheduler->doEventLoop();
  return 0;
}
