-- Grain: one row per tenant, refresh date and row of the report (mailbox).
select
  cast(tenant_id as varchar) as tenant_id,
  report_refresh_date,
  lower(user_principal_name) as upn_key,
  coalesce(is_deleted, false) as is_deleted,
  storage_used_byte as storage_used_bytes,
  has_archive
from {{ source('lake', 'report_mailbox_usage_detail') }}
