"""Applications (用电报装申请): what may be asked, how long it may take, and how an application moves."""
