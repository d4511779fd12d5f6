"""medallion with what is given: medallion_server.py PORT DATA"""

import sys

from medallion import application_instance, register_blueprints, set_config

port, data = int(sys.argv[1]), sys.argv[2]
config = {
    "backend": {
        # Both are asked for: the module and its class.
        "module": "medallion.backends.memory_backend",
        "module_class": "MemoryBackend",
        "filename": data,
    },
    "users": {"guest": "a pass:word"},
    "taxii": {"max_page_size": 10, "interop_requirements": True},
}
for section in ("users", "taxii", "backend"):
    set_config(application_instance, section, config)
register_blueprints(application_instance)
application_instance.run(host="127.0.0.1", port=port)
