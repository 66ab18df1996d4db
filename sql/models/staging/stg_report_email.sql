-- Grain: one row per tenant, refresh date and row of the report.
select
  cast(tenant_id as varchar) as tenant_id,
  report_refresh_date,
  lower(user_principal_name) as upn_key,
  coalesce(is_deleted, false) as is_deleted,
  last_activity_date
from {{ source('lake', 'report_email_activity_user_detail') }}
