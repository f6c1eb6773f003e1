import subprocess
import sys

import agentctl.models


def test_every_public_name_resolves() -> None:
    for name in agentctl.models.__all__:
        assert getattr(agentctl.models, name).__name__ == name


def test_finding_a_model_imports_no_http_library_and_no_openai() -> None:
    script = (
        "import sys\n"
        "from agentctl.models import MultiProvider\n"
        "MultiProvider(openai_api_key='none').get_model('m')\n"
        "assert not {'httpx2', 'openai', 'pydantic', 'rich', 'xllamacpp'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
