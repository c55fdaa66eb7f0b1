"""What kubelet does for a container of the chart, as the image that a sandbox's node runs: its config file is mounted,
its ServiceAccount's token is there. Beside that it listens on the pod's own address, since pods share a machine here.
"""

import os
import sys
from pathlib import Path

import yaml

MOUNTED = "/etc/canary-analyzer/config.yaml"


def main(folder: Path, arguments: list[str]) -> None:
    """Become the service; `folder` holds the ConfigMap's files and a kubeconfig."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["http"]["host"] = os.environ["HOST"]
    mounted = folder / f"{os.environ['HOSTNAME']}.yaml"
    mounted.write_text(yaml.safe_dump(config))
    told = [str(mounted) if argument == MOUNTED else argument for argument in arguments]
    command = [sys.executable, "-m", "canary_analyzer.cli", *told, "--kubeconfig", str(folder / "kubeconfig")]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
