-- Grain: one row per tenant, refresh date and row of the report.
select
  cast(tenant_id as varchar) as tenant_id,
  report_refresh_date,
  lower(user_principal_name) as upn_key,
  coalesce(is_deleted, false) as is_deleted,
  exchange_last_activity_date,
  onedrive_last_activity_date,
  sharepoint_last_activity_date,
  skype_for_business_last_activity_date,
  yammer_last_activity_date,
  teams_last_activity_date
from {{ source('lake', 'report_office365_active_user_detail') }}
