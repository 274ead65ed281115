"""What can go wrong with notices."""

from gateway.errors import Rejected


class AddressUnfit(Rejected):
    """No address of the kind that was chosen, or a way that this gateway does not have."""

    kind = "notice-address-unfit"
    title = "联系方式不可用"
