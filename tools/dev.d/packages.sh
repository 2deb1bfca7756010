# shellcheck shell=bash disable=SC2034
# Debian packages: what building and running needs, what the tests, the bench and the lint add.
# Sourced by ./dev; installs only what dpkg says is missing, in one apt call.

run_packages=(ca-certificates ccache clang-19 cmake libboost1.81-dev libcli11-dev libhiredis-dev libpqxx-dev
  libspdlog-dev libsqlite3-dev libssl-dev libsystemd-dev libvterm-dev ninja-build nlohmann-json3-dev
  pkg-config zlib1g-dev)
test_packages=(chromium curl fonts-dejavu-core htop jq less libclang-rt-19-dev libgmock-dev libgtest-dev
  librapidcheck-dev net-tools postgresql procps redis-server vim-tiny)
bench_packages=(libbenchmark-dev python3-terminado websocketd)
lint_packages=(clang-format-19)
tidy_packages=(clang-tidy-19 clang-tools-19 git)

# True if a Node new enough for the page's build is there, wherever it came from.
have_node() {
  command -v npm >/dev/null && command -v node >/dev/null &&
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)'
}

installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Installs those of the named packages, and a Node, that are missing.
install_packages() {
  local missing=() package
  for package in "$@"; do
    installed "$package" || missing+=("$package")
  done
  have_node || missing+=(nodejs npm)
  ((${#missing[@]})) || return 0

  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      die "missing packages, and neither root nor sudo; as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  say "installing: ${missing[*]}"
  # Another apt on the machine is waited for. stdin is closed: nothing may ask.
  "${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update </dev/null ||
    say "apt-get update failed; going on with the lists that are there"
  "${as_root[@]}" apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "${missing[@]}" </dev/null
}

# A second Node on PATH could be older than the one just installed.
require_node() {
  have_node || die "node $(node --version 2>/dev/null || echo 'is missing') is on PATH; 18 or later with npm is needed"
}

cmd_setup() {
  local packages=("${run_packages[@]}")
  case ${1:-} in
    "" | run) ;;
    test) packages+=("${test_packages[@]}") ;;
    all) packages+=("${test_packages[@]}" "${lint_packages[@]}" "${tidy_packages[@]}") ;;
    *) usage_error "setup takes run, test or all, not '$1'" ;;
  esac
  install_packages "${packages[@]}"
  require_node
}
